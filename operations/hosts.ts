import { existsSync, readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Duplex } from "node:stream";
import type { Host, Jump } from "../components/config/host.ts";
import { CommandConnection } from "../components/fleet/dial-stdio.ts";
import { renderKnownHosts, renderSshConfig, sshDirectory } from "../components/fleet/ssh.render.ts";
import { keptManager, sshCommand, writeSshFiles } from "../components/fleet/ssh.ts";
import { configSecret, type StackRef } from "./pulumi.ts";
import { isRecord, type StackFile } from "./stack-file.ts";
import { OperatorError } from "./verb.ts";

/*
 * The stack's machines and their Docker API, over the same SSH configuration as the program's. The program's
 * client knows all of the API and takes time to load; a verb that has to be quick while something is broken needs a
 * few GET requests, each with a limit in time.
 */

/** A request that Docker or the way to it did not answer with success. */
export class DockerError extends Error {
  /** HTTP status; `undefined` when there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.name = "DockerError";
    this.status = status;
  }
}

export type GetJson = (path: string) => Promise<unknown>;

export interface DockerHost {
  readonly get: GetJson;
  close(): void;
}

/** Machines of the stack file, with the jump hosts that they are reached through. */
export async function hostsOf(file: StackFile): Promise<Host[]> {
  const [{ stackSchema }, { check, toProblems }, { hostKeyRules }, { jumpRules, withJumps }] = await Promise.all([
    import("../components/config/stack.ts"),
    import("../components/config/findings.ts"),
    import("../components/config/host-rules.ts"),
    import("../components/config/jump.ts"),
  ]);
  const { hosts, jumpHosts } = file.values;
  const { whole, findings } = check(stackSchema.pick({ hosts: true, jumpHosts: true }), { hosts, jumpHosts });
  const local = file.values["environment"] === "local";
  const rules = whole
    ? [
        ...whole.hosts.flatMap((host, index) => (local ? [] : hostKeyRules(["hosts", index], host, "<stack>"))),
        ...jumpRules(whole.hosts, whole.jumpHosts, local ? "local" : "production"),
      ]
    : findings;
  if (whole && rules.length === 0) return withJumps(whole.hosts, whole.jumpHosts);
  const problems = toProblems("berth:", rules).map(({ path, message }) => `${path}: ${message}`);
  throw new OperatorError([`${file.path}: the hosts cannot be read:`, ...problems].join("\n  - "));
}

/** A jump host of the stack file, whose key must be pinned: what is asked through it is believed. */
export async function jumpHostOf(file: StackFile, name: string): Promise<Jump> {
  const [{ stackSchema }, { check, toProblems }] = await Promise.all([
    import("../components/config/stack.ts"),
    import("../components/config/findings.ts"),
  ]);
  const { whole, findings } = check(stackSchema.pick({ jumpHosts: true }), { jumpHosts: file.values["jumpHosts"] });
  const found = whole?.jumpHosts[name];
  if (found?.hostKey !== undefined) return { name, ...found };
  const path = `berth:jumpHosts.${name}`;
  const problems = whole
    ? [
        found === undefined
          ? `${path}: is missing; add its address, user and hostKey`
          : `${path}.hostKey: is missing; run \`npm run berth -- host-key ${found.address}\` and paste the line it prints`,
      ]
    : toProblems("berth:", findings).map((problem) => `${problem.path}: ${problem.message}`);
  throw new OperatorError([`${file.path}: the jump host cannot be read:`, ...problems].join("\n  - "));
}

/** What the stack file says of its machines and their surroundings, as far as a check of them needs it. */
export async function surroundingsOf(file: StackFile) {
  const [{ stackSchema }, { check, toProblems }, { rangesApiOf }] = await Promise.all([
    import("../components/config/stack.ts"),
    import("../components/config/findings.ts"),
    import("../components/fleet/host.render.ts"),
  ]);
  const { registry, firewall, certificates, swarm, docker, cloudflare, acme, edge } = file.values;
  const given = { registry, firewall, certificates, swarm, docker, cloudflare, acme, edge };
  const asked = stackSchema.pick({
    registry: true,
    firewall: true,
    certificates: true,
    swarm: true,
    docker: true,
    cloudflare: true,
    acme: true,
    edge: true,
  });
  const { whole, findings } = check(asked, given);
  if (whole) {
    const dnsChallenges = Object.values(whole.certificates).some(({ challenge }) => challenge === "dns-01");
    return {
      registry: whole.registry,
      firewall: whole.firewall,
      rangesApi: rangesApiOf(whole),
      dnsChallenges,
      autolock: whole.swarm.autolock,
      docker: whole.docker,
      edge: whole.edge,
    };
  }
  const problems = toProblems("berth:", findings).map(({ path, message }) => `${path}: ${message}`);
  throw new OperatorError([`${file.path}: what the hosts are set up with cannot be read:`, ...problems].join("\n  - "));
}

/**
 * Makes sure that `.berth/<stack>/` holds what `ssh` needs. The program writes these files on every run, so they are
 * nearly always right, and then nothing is decrypted.
 */
export async function ensureSshFiles(ref: StackRef, file: StackFile, hosts: readonly Host[]): Promise<void> {
  const { stack, root } = ref;
  const key = file.values["sshKey"] !== undefined;
  const directory = join(root, sshDirectory(stack));
  const manager = keptManager({ stack, hosts }, root);
  const upToDate =
    holds(join(directory, "ssh_config"), renderSshConfig({ stack, hosts, manager, key })) &&
    holds(join(directory, "known_hosts"), renderKnownHosts(hosts)) &&
    existsSync(join(directory, "key")) === key;
  if (upToDate) return;
  const sshKey = key ? await configSecret(ref, "berth:sshKey") : undefined;
  writeSshFiles({ stack, hosts, ...(sshKey !== undefined && { sshKey }) }, root);
}

/** The Docker API of a host through `ssh`, to be started in the project root. */
export function dockerThroughSsh({ stack, root }: StackRef, host: string, timeoutMs?: number): DockerHost {
  const argv = sshCommand(stack, host, ["docker", "system", "dial-stdio"]) as [string, ...string[]];
  return dockerOver(host, () => new CommandConnection(argv, root, (said) => said), timeoutMs);
}

/** The Docker API at the end of connections that `connect` makes. */
export function dockerOver(name: string, connect: () => Duplex, timeoutMs = 15_000): DockerHost {
  // sshd takes ten sessions on one connection by default; requests beyond these wait for a free one.
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  agent.createConnection = connect;
  const get: GetJson = async (path) =>
    new Promise((resolve, reject) => {
      const fail = (error: Error) => {
        reject(new DockerError(`its Docker cannot be reached, got "${error.message}"`));
      };
      const asked = request({ agent, host: name, path, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
        const status = answer.statusCode ?? 0;
        buffer(answer).then((body) => {
          const content = parsed(body);
          if (status === 200) resolve(content);
          else reject(new DockerError(messageIn(content) ?? `HTTP status ${status}`, status));
        }, fail);
      });
      asked.once("error", (error) => {
        fail(error.name === "AbortError" ? new Error(`no answer within ${timeoutMs / 1000} s`) : error);
      });
      asked.end();
    });
  return {
    get,
    close: () => {
      agent.destroy();
    },
  };
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // Not Docker's own answer: what it says is shown as it is.
    return { message: body.toString("utf8").trim() };
  }
}

function messageIn(content: unknown): string | undefined {
  const message = isRecord(content) ? content["message"] : undefined;
  return typeof message === "string" && message !== "" ? message : undefined;
}

function holds(path: string, content: string): boolean {
  return existsSync(path) && readFileSync(path, "utf8") === content;
}
