import { formatPath, type Path } from "../config/findings.ts";
import type { Host } from "../config/host.ts";
import type { Config } from "../config/load.ts";
import type { Problem } from "../shared/errors.ts";
import { list, show } from "../config/refusals.ts";
import { bytes, showBytes, type Size } from "../shared/size.ts";
import { diskMegabytes, supportedSystems } from "./engine.render.ts";
import type { Answer, Facts, Node } from "./facts.ts";
import { fingerprint } from "./host-key.ts";
import { addressPools } from "./member.render.ts";
import { overlap } from "./subnet.ts";

/* What the machines said, against what the configuration asks of them. Pure. */

export type PreflightConfig = Pick<
  Config,
  "stack" | "environment" | "hosts" | "encryptNetworks" | "system" | "images" | "acme"
>;

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

/** Part of what is asked for that a machine sold under that size may lack: its kernel keeps some to itself. */
const tolerance = 0.15;
/** Room that a host with Docker on it needs for the next images, in megabytes. */
const keptMegabytes = 512;

/** Where images come from whose names have no registry. */
const dockerHub = "registry-1.docker.io";

/** What a host has to reach outside: registries, and where the edge runs, what issues certificates. */
export function placesOf({ images, acme }: Pick<PreflightConfig, "images" | "acme">, host: Host): string[] {
  const registries = Object.values(images).map(({ repository }) => {
    const [first = "", ...rest] = repository.split("/");
    if (rest.length === 0 || !/[.:]|^localhost$/.test(first) || first === "docker.io") return `${dockerHub}:443`;
    return first.includes(":") ? first : `${first}:443`;
  });
  const { hostname, port } = new URL(acme.directory);
  const authority = host.labels["edge"] === "true" ? [`${hostname}:${port === "" ? "443" : port}`] : [];
  return [...new Set([...registries, ...authority])].toSorted();
}

type Answers = ReadonlyMap<string, Answer>;
interface Told {
  readonly host: Host;
  readonly path: Path;
  readonly facts: Facts;
}

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
  if (!view) return [...answers.values()].some((answer) => "facts" in answer && inSwarm(answer.facts));
  return hosts.some(({ name }) => isSilent(answers.get(name)) && stateIn(view, name) === "ready");
}

export function judge(config: PreflightConfig, answers: Answers, kept?: string): Judgement {
  const { hosts } = config;
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
    } else if (answer) problems.push(unreached(host, path, answer, view));
  }
  for (const one of told) {
    problems.push(...machineProblems(config, one), ...swarmProblems(one, view));
    for (const place of one.facts.unreached) {
      const text = `host ${one.host.name} cannot reach a service that it needs, got no connection to ${place}`;
      const cure = "let it out to there, or correct its DNS or routes";
      // A host that runs already may need nothing of it now.
      if (inSwarm(one.facts)) warnings.push(`${text}; ${cure}`);
      else problems.push(problem(one.path, `${text}; ${cure}`));
    }
    if (one.facts.engine === "silent") {
      warnings.push(`host ${one.host.name}: its Docker does not answer; see journalctl -u docker on it`);
    }
  }
  const routes = routeFindings(told, view);
  return {
    problems: [...problems, ...routes.problems],
    warnings: [...warnings, ...routes.warnings],
    ...(view && { manager: view.manager }),
  };
}

const problem = (path: Path, message: string): Problem => ({ path: formatPath("berth:", path), message });
const inSwarm = ({ engine }: Facts): boolean => typeof engine === "object" && engine.swarm === "active";
const stateIn = (view: View, name: string): string | undefined =>
  // A machine that was set up anew leaves its earlier node behind for a while.
  view.nodes
    .filter(({ host }) => host === name)
    .toSorted((a, b) => Number(b.state === "ready") - Number(a.state === "ready"))[0]?.state;

function isSilent(answer: Answer | undefined): boolean {
  return answer !== undefined && "failure" in answer && answer.failure === "silent";
}

function unreached(
  host: Host,
  path: Path,
  answer: Extract<Answer, { failure: string }>,
  view: View | undefined,
): Problem {
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
      return at("hostKey", otherKey(host, answer.offered));
    case "refused": {
      const cure = "put the public key into the user's ~/.ssh/authorized_keys on it, or write the user that has it";
      return at("user", `lets ${user} not in with the SSH key in use, got ${show(answer.said)}; ${cure}`);
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
function otherKey({ address, port, hostKey }: Host, offered = "a key of another kind"): string {
  if (hostKey === undefined) {
    return `shows another host key than it did first, got ${offered}; if it was set up anew, remove accepted_hosts below .berth`;
  }
  const line = `\`npm run berth -- host-key ${port === 22 ? address : `${address}:${port}`}\``;
  return (
    `shows another host key than the pinned one, got ${offered} for ${fingerprint(hostKey)}; ` +
    `if it was set up anew, compare that with what its console says and paste the line of ${line}; ` +
    "if not, somebody may stand between you and it: change nothing, and ask who runs it"
  );
}

function machineProblems(config: PreflightConfig, { host, path, facts }: Told): Problem[] {
  const { name } = host;
  const problems: Problem[] = [];
  const add = (field: string | undefined, message: string): number =>
    problems.push(problem(field === undefined ? path : [...path, field], `host ${name} ${message}`));

  if (!supportedSystems.includes(facts.system)) {
    add(
      undefined,
      `runs a system that is not supported, got ${show(facts.system)}; use ${list(supportedSystems, "or")}`,
    );
  }
  if (facts.unencrypted !== undefined) {
    const cure =
      "use a kernel with ESP (Debian's and Ubuntu's have it, that of a container may not), or write berth:encryptNetworks: false " +
      "where the network between the hosts is private";
    add(undefined, `cannot encrypt the networks between hosts, got ${show(facts.unencrypted)}; ${cure}`);
  }
  if (facts.foreignDaemon) {
    const cure = "move it away, and Docker's data to /var/lib/docker if it names another place";
    add(undefined, `has a Docker configuration that would be replaced, got /etc/docker/daemon.json; ${cure}`);
  }
  const { privateAddress } = host;
  if (privateAddress !== undefined && facts.addresses.length > 0 && !facts.addresses.includes(privateAddress)) {
    const own = list(
      facts.addresses.filter((address) => !address.startsWith("127.")),
      "and",
    );
    add("privateAddress", `does not have this address, got ${privateAddress}, it has ${own}; write one of its own`);
  }
  problems.push(...sizeProblems(config, { host, path, facts }));
  const full = facts.disks.find(({ free }) => free < 1024 * (facts.engine === "none" ? diskMegabytes : keptMegabytes));
  if (full) {
    const wanted = facts.engine === "none" ? diskMegabytes : keptMegabytes;
    add(
      undefined,
      `has too little room below ${full.path}, got ${megabytes(full.free)} free; make room for ${wanted} MB`,
    );
  }
  return problems;
}

const megabytes = (kilobytes: number): string => `${Math.floor(kilobytes / 1024)} MB`;

/** What the stack file says that it has, and what the system asks of each of its machines. */
function sizeProblems({ environment, system }: PreflightConfig, { host, path, facts }: Told): Problem[] {
  const sources = new Map(facts.disks.map(({ source, size }) => [source, size]));
  const disk = [...sources.values()].reduce((sum, size) => sum + size, 0);
  const has = { memory: 1024 * facts.memory, cpus: facts.cores, disk: 1024 * disk };
  // The machine of a lab is whatever a developer has.
  const asked: Partial<Config["system"]["machine"]> = environment === "local" ? {} : system.machine;
  return (["memory", "cpus", "disk"] as const).flatMap((field): Problem[] => {
    const least = (wanted: Size | number): number =>
      typeof wanted === "number" ? wanted : (1 - tolerance) * bytes(wanted);
    const shown = field === "cpus" ? String(has.cpus) : showBytes(has[field]);
    const what = { memory: "less memory", cpus: "fewer cores", disk: "less room on its disks" }[field];
    const said = host[field];
    if (said !== undefined && has[field] < least(said)) {
      const message = `host ${host.name} has ${what} than the stack file says, got ${shown} for ${said}; write what it has, or use a larger machine`;
      return [problem([...path, field], message)];
    }
    const wanted = asked[field];
    if (wanted === undefined || has[field] >= least(wanted)) return [];
    const message = `host ${host.name} has ${what} than system.machine.${field} asks for, got ${shown} for ${wanted}; use a larger machine`;
    return [problem(path, message)];
  });
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
    if (inSwarm(one.facts)) warnings.push(message);
    else problems.push(problem(one.path, message));
  }
  return { problems, warnings };
}
