import type { Path } from "../config/findings.ts";
import type { Host } from "../config/host.ts";
import { list, show } from "../config/refusals.ts";
import type { Problem } from "../shared/errors.ts";
import type { Answer, Facts, Node } from "./facts.ts";
import { fingerprint } from "./host-key.ts";
import { addressPools } from "./member.render.ts";
import { machineProblems, problem, type PreflightConfig, type Told } from "./preflight.machine.ts";
import { overlap } from "./subnet.ts";

/* What the machines said, against what the configuration asks of them. Pure. */

export interface Judgement {
  /** What has to be put right before anything is changed. */
  readonly problems: readonly Problem[];
  /** What a change may meet, in words. */
  readonly warnings: readonly string[];
  /** The manager to talk to; none where the swarm has yet to be made. */
  readonly manager?: string;
}

/** The swarm as one of its managers knows it. */
export interface View {
  readonly manager: string;
  readonly nodes: readonly Node[];
  readonly pools: readonly string[];
}

type Answers = ReadonlyMap<string, Answer>;

/** @param kept The manager that was talked to last: of several that know the swarm, it goes on */
export function viewOf(hosts: readonly Host[], answers: Answers, kept?: string): View | undefined {
  const views = hosts.flatMap(({ name }) => {
    const answer = answers.get(name);
    if (!answer || !("facts" in answer) || answer.facts.nodes.length === 0) return [];
    return [{ manager: name, nodes: answer.facts.nodes, pools: answer.facts.pools }];
  });
  return views.find(({ manager }) => manager === kept) ?? views[0];
}

/**
 * Whether a later answer may be another: the managers have yet to agree on who leads, or to notice that a host is
 * lost.
 */
export function isUndecided(hosts: readonly Host[], answers: Answers): boolean {
  const view = viewOf(hosts, answers);
  // Without a leader Docker itself may not answer in time.
  if (!view)
    return [...answers.values()].some((one) => "facts" in one && (inSwarm(one.facts) || one.facts.engine === "silent"));
  return hosts.some(({ name }) => isSilent(answers.get(name)) && stateIn(view, name) === "ready");
}

export function judge(config: PreflightConfig, answers: Answers, kept?: string): Judgement {
  const { hosts, stack } = config;
  const view = viewOf(hosts, answers, kept);
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const told: Told[] = [];
  for (const [index, host] of hosts.entries()) {
    const answer = answers.get(host.name);
    const path = ["hosts", index];
    if (answer && "facts" in answer) told.push({ host, path, facts: answer.facts });
    else if (isSilent(answer) && view && !["ready", undefined].includes(stateIn(view, host.name))) {
      const state = stateIn(view, host.name) ?? "";
      warnings.push(
        `host ${host.name} does not answer, and the swarm finds it ${state}: what runs goes on without it; what would ` +
          "change on it waits until it is back, or is taken out of the stack file",
      );
    } else if (answer) problems.push(unreached({ stack, host, path, view }, answer));
  }
  for (const one of told) {
    problems.push(...machineProblems(config, one), ...swarmProblems(one, view));
    for (const place of one.facts.unreached) {
      const text = `host ${one.host.name} cannot reach a service that it needs, got no connection to ${place}`;
      const cure = "let it out to there, or correct its DNS or routes";
      // A host that runs already may need nothing of it now.
      if (isMember(one.facts)) warnings.push(`${text}; ${cure}`);
      else problems.push(problem(one.path, `${text}; ${cure}`));
    }
    if (isLocked(one.facts)) {
      const text = `host ${one.host.name} is locked since its restart`;
      const cure = `run "npm run berth -- unlock ${stack}"`;
      // The others decide without it, and what ran on it runs on them.
      if (view) warnings.push(`${text} and takes no part in the swarm; ${cure}`);
      else problems.push(problem(one.path, `${text}, and no manager knows the swarm; ${cure}, then pulumi up again`));
    }
    if (one.facts.engine === "silent") {
      warnings.push(`host ${one.host.name}: its Docker does not answer; see journalctl -u docker on it`);
    }
  }
  const routes = routeFindings(told, view);
  return {
    problems: withoutRepeats([...problems, ...routes.problems]),
    warnings: [...warnings, ...routes.warnings],
    ...(view && { manager: view.manager }),
  };
}

/** Several hosts may be behind one jump host. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [`${one.path}: ${one.message}`, one])).values()];
}

const inSwarm = ({ engine }: Facts): boolean => typeof engine === "object" && engine.swarm === "active";
const isLocked = ({ engine }: Facts): boolean => typeof engine === "object" && engine.swarm === "locked";
const isMember = (facts: Facts): boolean => inSwarm(facts) || isLocked(facts);
const stateIn = (view: View, name: string): string | undefined =>
  // A machine that was set up anew leaves its earlier node behind for a while.
  view.nodes
    .filter(({ host }) => host === name)
    .toSorted((a, b) => Number(b.state === "ready") - Number(a.state === "ready"))[0]?.state;

function isSilent(answer: Answer | undefined): boolean {
  return answer !== undefined && "failure" in answer && answer.failure === "silent";
}

interface Asked {
  readonly stack: string;
  readonly host: Host;
  readonly path: Path;
  readonly view: View | undefined;
}

function unreached({ stack, host, path, view }: Asked, answer: Extract<Answer, { failure: string }>): Problem {
  const { name, address, port, user } = host;
  const said = answer.said === "" ? "" : ` (${show(answer.said)})`;
  const at = (field: string, message: string): Problem => problem([...path, field], `host ${name} ${message}`);
  switch (answer.failure) {
    case "silent": {
      const field = /refused/.test(answer.said) ? "port" : "address";
      const got = `got ${address} port ${port}${said}`;
      if (view && stateIn(view, name) === "ready") {
        const cure =
          "correct address and port, or let this machine in; one that is sick is left out once it is stopped";
        return at(field, `cannot be reached by SSH, though the swarm finds it ready, ${got}; ${cure}`);
      }
      const cure =
        "start the machine, correct address and port, or let this machine through the firewall in front of it";
      return at(field, `cannot be reached by SSH, ${got}; ${cure}`);
    }
    case "no such name":
      return at(
        "address",
        `has an address that is no name in DNS, got ${show(address)}; write its IP, or add the record`,
      );
    case "other key":
      return at("hostKey", otherKey(host, host.jump && `--stack ${stack} --jump ${host.jump.name}`, answer.offered));
    case "other key of jump host": {
      const { jump = { ...host, name: "" } } = host;
      return problem(["jumpHosts", jump.name, "hostKey"], otherKey(jump, undefined, answer.offered));
    }
    case "refused": {
      const cure = "put the public key into the user's ~/.ssh/authorized_keys on it, or write the user that has it";
      return at("user", `does not let ${user} in with the SSH key in use, got ${show(answer.said)}; ${cure}`);
    }
    case "bad private key": {
      const cure =
        "paste the whole private key file, one without a passphrase: `pulumi config set --secret berth:sshKey`";
      return problem(["sshKey"], `is not a private key that ssh can use, got ${show(answer.said)}; ${cure}`);
    }
    case "not root": {
      const cure = `put the line "${user} ALL=(ALL) NOPASSWD:ALL" into /etc/sudoers.d/berth on it, or use root`;
      return at("user", `does not let ${user} become root by sudo without a password, got user ${show(user)}; ${cure}`);
    }
    case "broken off": {
      const cure = "log in by hand to see why; many images let another user than root run commands";
      return at(
        "user",
        `runs no commands for ${user}, got ${answer.said === "" ? "no answer" : show(answer.said)}; ${cure}`,
      );
    }
  }
}

/** Whoever reads this has to decide whether to trust the machine. */
function otherKey(
  { address, port, hostKey }: Pick<Host, "address" | "port" | "hostKey">,
  way: string | undefined,
  offered = "a key of another kind",
): string {
  if (hostKey === undefined) {
    return `shows another host key than it did first, got ${offered}; if it was set up anew, remove accepted_hosts below .berth`;
  }
  const at = port === 22 ? address : `${address}:${port}`;
  const line = `\`npm run berth -- host-key ${at}${way === undefined ? "" : ` ${way}`}\``;
  return (
    `shows another host key than the pinned one, got ${offered} for ${fingerprint(hostKey)}; ` +
    `if it was set up anew, compare that with what its console says and paste the line of ${line}; ` +
    "if not, somebody may stand between you and it: change nothing, and ask who runs it"
  );
}

function swarmProblems({ host, path, facts }: Told, view: View | undefined): Problem[] {
  if (!inSwarm(facts) || typeof facts.engine !== "object") return [];
  const { node } = facts.engine;
  if (!view) {
    const cure =
      'start more than half of its managers, or run "docker swarm leave --force" on it if that swarm is gone';
    return [
      problem(path, `host ${host.name} belongs to a swarm whose managers do not answer, got node ${node}; ${cure}`),
    ];
  }
  if (view.nodes.some(({ id }) => id === node)) return [];
  const cure = 'run "docker swarm leave --force" on it if that swarm is gone';
  return [problem(path, `host ${host.name} belongs to another swarm than ${view.manager}, got node ${node}; ${cure}`)];
}

/** Docker's own bridges are no ways out of the machine. */
const dockerDevice = /^(docker|br-|veth|lo$)/;

/** Addresses that networks of the swarm would take away from a host that reaches something else at them. */
function routeFindings(told: readonly Told[], view: View | undefined): Omit<Judgement, "manager"> {
  const routesTo = ({ facts }: Told, pool: string) =>
    facts.routes.filter(({ network, device }) => !dockerDevice.test(device) && overlap(network, pool));
  const text = (routes: Facts["routes"]): string =>
    routes.map(({ network, device }) => `${network} by ${device}`).join(", ");
  const problems: Problem[] = [];
  const warnings: string[] = [];
  if (!view) {
    const taken = addressPools.map((pool) => told.flatMap((one) => routesTo(one, pool)));
    if (taken.every((routes) => routes.length > 0)) {
      const message = `have routes to all subnets that networks could get, got ${text(taken.flat())}; free one of ${list(addressPools, "or")} on all hosts`;
      problems.push(problem(["hosts"], message));
    }
    return { problems, warnings };
  }
  for (const one of told) {
    const routes = view.pools.flatMap((pool) => routesTo(one, pool));
    if (routes.length === 0) continue;
    const message = `host ${one.host.name} has a route into the subnets of the swarm's networks, got ${text(routes)} for ${list(view.pools, "and")}; take the route away, or give what is there other addresses`;
    // A host that is in the swarm runs with it, however well.
    if (isMember(one.facts)) warnings.push(message);
    else problems.push(problem(one.path, message));
  }
  return { problems, warnings };
}
