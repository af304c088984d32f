import { execFile } from "node:child_process";
import { cloudflareRanges } from "../components/cloudflare/ranges.ts";
import type { Host } from "../components/config/host.ts";
import { renderEdgeCheck } from "../components/edge/edge.render.ts";
import { checkEnd, renderCheck } from "../components/fleet/host.render.ts";
import { rootShell } from "../components/fleet/script.ts";
import { sshConfigPath } from "../components/fleet/ssh.render.ts";
import { surroundingsOf } from "./hosts.ts";
import type { StackRef } from "./pulumi.ts";
import type { StackFile } from "./stack-file.ts";

/** Every managed setting of a host read anew, by the scripts that apply them. */
export interface DeepStatus {
  readonly host: string;
  /** What is not as berth set it, by concern. */
  readonly differences: readonly Difference[];
  /** Why nothing is known about it. */
  readonly problem: string | null;
}

export interface Difference {
  readonly concern: string;
  readonly text: string;
}

/** A host that is busy takes some seconds; one that hangs must not keep the others back. */
const timeoutMs = 60_000;

/** Asks all hosts at once, in one dial each; one that does not answer is an answer. */
export async function readDeep(ref: StackRef, file: StackFile, hosts: readonly Host[]): Promise<DeepStatus[]> {
  const { edge, ...surroundings } = await surroundingsOf(file);
  return Promise.all(
    hosts.map(async (host) => {
      const args = { ...surroundings, stack: ref.stack, host, hosts, proxyRanges: cloudflareRanges };
      const script = renderCheck(args, host.labels["edge"] === "true" ? { edge: renderEdgeCheck(edge.resources) } : {});
      return assessDeep(host.name, await ask(ref, host, script));
    }),
  );
}

interface Said {
  readonly stdout: string;
  readonly complaint: string;
}

async function ask({ root, stack }: StackRef, host: Host, script: string): Promise<Said> {
  const args = ["-F", sshConfigPath(stack), host.name, `${rootShell(host)} check`];
  return new Promise((resolve) => {
    const child = execFile("ssh", args, { cwd: root, timeout: timeoutMs }, (error, stdout, stderr) => {
      resolve({ stdout, complaint: stderr.trim() || (error?.message ?? "") });
    });
    // A connection that fails closes it early; its exit says why.
    child.stdin?.on("error", () => undefined).end(script);
  });
}

/** Reads what the script of a check printed. */
export function assessDeep(host: string, { stdout, complaint }: Said): DeepStatus {
  const lines = stdout.trimEnd().split("\n");
  if (lines.at(-1) !== checkEnd) {
    const problem = `its settings cannot be read, got ${JSON.stringify(complaint === "" ? "an answer that breaks off" : complaint)}`;
    return { host, differences: [], problem };
  }
  const differences: Difference[] = [];
  let concern = "";
  let last = "";
  for (const line of lines) {
    const [word = "", rest = ""] = /^(\S+) ?(.*)$/.exec(line)?.slice(1) ?? [];
    if (word === "concern") concern = rest;
    else if (word === "differs:") differences.push({ concern, text: rest });
    else if (word === "end" && rest !== "0") {
      differences.push({ concern, text: `cannot be checked to its end, got ${JSON.stringify(last)}` });
    }
    last = line;
  }
  return { host, differences, problem: null };
}

/** What a status lists under its problems. */
export function deepProblems({ host, differences, problem }: DeepStatus): string[] {
  if (problem !== null) return [`host ${host}: ${problem}`];
  return differences.map(({ concern, text }) => `host ${host}: ${concern}: ${text}`);
}
