import { execFile } from "node:child_process";
import { managersOf } from "../config/host.ts";
import { keptManager, sshCommand, type SshArgs } from "./ssh.ts";

/** A machine that is gone answers nothing; ssh itself gives up after 10 s. */
const timeoutMs = 12_000;

/**
 * Name of the manager that answers first; the one that is kept in the SSH configuration when none does.
 * Dials the managers, all at once; with a single one there is nothing to choose.
 */
export async function answeringManager(config: Pick<SshArgs, "stack" | "hosts">, root: string): Promise<string> {
  const names = managersOf(config.hosts).map(({ name }) => name);
  const kept = keptManager(config, root);
  if (names.length < 2) return kept;
  const dials = new AbortController();
  try {
    return await Promise.any(names.map((name) => knowsSwarm(config.stack, name, root, dials.signal)));
  } catch (error) {
    if (!(error instanceof AggregateError)) throw error;
    // The swarm has yet to be made, or what needs it says what is wrong.
    return kept;
  } finally {
    dials.abort();
  }
}

/** A manager that has lost the others answers, but does not know who is in the swarm. */
async function knowsSwarm(stack: string, name: string, root: string, signal: AbortSignal): Promise<string> {
  const [program = "", ...args] = sshCommand(stack, name, ["docker", "node", "inspect", "--format", "{{.ID}}", "self"]);
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { cwd: root, signal, timeout: timeoutMs }, (error) => {
      if (error) reject(new Error(`host ${name}: ${error.message}`));
      else resolve(name);
    });
    child.stdin?.end();
  });
}
