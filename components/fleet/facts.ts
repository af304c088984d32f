import { factsEnd } from "./facts.render.ts";

/* What a machine said, or why it said nothing. */

export interface Disk {
  /** Kilobytes. */
  readonly size: number;
  readonly free: number;
  readonly source: string;
  readonly path: string;
}

/** A node as a manager lists it. */
export interface Node {
  readonly id: string;
  /** `ready`, `down`, `unknown` or `disconnected`. */
  readonly state: string;
  /** Name of the host in the stack file; empty for one that berth did not make a node. */
  readonly host: string;
}

export interface Facts {
  /** Distribution and version, for example `debian 12`. */
  readonly system: string;
  /** Kilobytes. */
  readonly memory: number;
  readonly cores: number;
  readonly disks: readonly Disk[];
  /** IPv4 addresses; none where the machine has no program to tell them. */
  readonly addresses: readonly string[];
  readonly routes: readonly { readonly network: string; readonly device: string }[];
  /** Why the kernel cannot encrypt networks. @default - it can, or was not asked */
  readonly unencrypted?: string;
  /** Docker has a configuration that berth did not write. */
  readonly foreignDaemon: boolean;
  /** Places outside that it cannot reach, as `host:port`. */
  readonly unreached: readonly string[];
  /** Docker: not there, not answering, or its part in a swarm. */
  readonly engine: "none" | "silent" | { readonly swarm: string; readonly node: string };
  /** Nodes of the swarm; none where the host does not know them. */
  readonly nodes: readonly Node[];
  /** Subnets that networks of the swarm are cut from. */
  readonly pools: readonly string[];
}

/** Why there are no facts. */
export type Failure =
  /** Nothing answers: the machine may be lost. */
  | "silent"
  | "no such name"
  /** The host key is another one than the pinned one. */
  | "other key"
  /** That of the jump host before it. */
  | "other key of jump host"
  | "refused"
  /** The private key is none. */
  | "bad private key"
  | "not root"
  | "broken off";

export type Answer =
  | { readonly facts: Facts }
  | {
      readonly failure: Failure;
      /** What was said instead, on one line. */
      readonly said: string;
      /** Digest of the host key that was shown, for another one. */
      readonly offered?: string;
    };

/** What ssh says, in the order in which it counts: a key file that cannot be read ends as a refusal too. */
const complaints: readonly (readonly [RegExp, Failure])[] = [
  [/ost key (is known )?for \S+\.jump .*strict checking/, "other key of jump host"],
  [/Host key verification failed|no matching host key type/, "other key"],
  [/Load key .*(libcrypto|invalid format|passphrase|not supported)/, "bad private key"],
  [/Permission denied|Too many authentication failures/, "refused"],
  [/Could not resolve hostname/, "no such name"],
];

/** Reads what ssh and the script of facts printed. */
export function readAnswer(code: number | "late", stdout: string, stderr: string): Answer {
  const lines = stdout.trimEnd().split("\n");
  const last = lines.at(-1);
  if (last === factsEnd) return lines.includes("root no") ? { failure: "not root", said: "" } : { facts: parse(lines) };
  const lastWords = (text: string): string => text.trim().split("\n").at(-1) ?? "";
  const said = stderr.trim() === "" ? lastWords(stdout) : lastWords(stderr);
  if (code === "late") return { failure: "silent", said: "no answer in time" };
  if (code !== 255) return { failure: "broken off", said };
  const failure = complaints.find(([pattern]) => pattern.test(stderr))?.[1] ?? "silent";
  const offered = failure.startsWith("other key") ? /^(SHA256:\S+?)\.?$/m.exec(stderr)?.[1] : undefined;
  return { failure, said, ...(offered !== undefined && { offered }) };
}

function parse(lines: readonly string[]): Facts {
  const all = (word: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1).trim()] : []));
  const one = (word: string): string => all(word)[0] ?? "";
  const [engine = "none", , node = ""] = one("engine").split(" ");
  const unencrypted = /^no: (.*)$/.exec(one("encryption"))?.[1];
  return {
    system: one("system"),
    memory: Number(one("memory")),
    cores: Number(one("cores")),
    disks: all("disk").map((line) => {
      const [size, free, source = "", path = ""] = line.split(/\s+/);
      return { size: Number(size), free: Number(free), source, path };
    }),
    addresses: all("address"),
    routes: all("route").map((line) => {
      const [network = "", device = ""] = line.split(" ");
      return { network, device };
    }),
    ...(unencrypted !== undefined && { unencrypted }),
    unreached: all("unreached").toSorted(),
    foreignDaemon: all("daemon").includes("foreign"),
    engine: engine === "none" || engine === "silent" ? engine : { swarm: engine, node },
    nodes: all("node").map((line) => {
      const [id = "", state = "", host = ""] = line.split(" ");
      return { id, state, host };
    }),
    pools: all("pool"),
  };
}
