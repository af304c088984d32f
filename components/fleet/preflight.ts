import { execFile } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../config/host.ts";
import { HostsError } from "../shared/errors.ts";
import { readAnswer, type Answer } from "./facts.ts";
import { renderFacts } from "./facts.render.ts";
import { bestHostKey, fingerprint, scanHostKeys } from "./host-key.ts";
import { isUndecided, judge, viewOf } from "./preflight.judge.ts";
import { placesOf, type PreflightConfig } from "./preflight.machine.ts";
import { rootShell } from "./script.ts";
import { keptManager, sshCommand, writeSshFiles, type SshArgs } from "./ssh.ts";

/** ssh itself gives up on a machine that does not answer after 10 s; a Docker that hangs takes as long. */
const dialMs = 40_000;
/** Between two looks. */
const pauseMs = 500;
/** Longest wait for managers to agree on a leader, and for them to notice that a host is lost. */
const electMs = 60_000;
const noticeMs = 30_000;

export type Ask = (host: Host) => Promise<Answer>;

export interface Preflight {
  /** A preview reaches no host. */
  readonly preview: boolean;
  /** @default - one dial by the SSH configuration of the stack */
  readonly ask?: Ask;
}

/**
 * Looks at all machines before anything is changed on one of them: one dial each, side by side, by a script that only
 * reads. Fails with everything that stands in the way at once. A host may be silent when the swarm finds it lost.
 *
 * Chooses the manager to talk to as well: of several, any that knows the whole swarm, since the first may be lost. Its
 * name goes into the SSH configuration as `manager.swarm`, so that no input of a resource changes with it.
 */
export async function preflight(config: PreflightConfig & SshArgs, { preview, ask }: Preflight): Promise<void> {
  if (preview) return;
  const root = process.cwd();
  const kept = keptManager(config, root);
  const answers = await settledAnswers(config.hosts, ask ?? dial(config, root));
  const { problems, warnings, manager } = judge(config, answers, kept);
  if (problems.length > 0) throw new HostsError(problems, config.stack);
  for (const warning of warnings) await pulumi.log.warn(warning);
  if (manager !== undefined) writeSshFiles(config, root, manager);
}

async function settledAnswers(hosts: readonly Host[], ask: Ask): Promise<ReadonlyMap<string, Answer>> {
  const answers = new Map<string, Answer>();
  const askThese = async (these: readonly Host[]): Promise<void> => {
    await Promise.all(these.map(async (host) => answers.set(host.name, await ask(host))));
  };
  await askThese(hosts);
  const started = Date.now();
  const answering = hosts.filter(({ name }) => "facts" in (answers.get(name) ?? {}));
  while (isUndecided(hosts, answers) && Date.now() - started < (viewOf(hosts, answers) ? noticeMs : electMs)) {
    await pause(pauseMs);
    await askThese(answering);
  }
  return answers;
}

function dial(config: PreflightConfig, root: string): Ask {
  const { stack, encryptNetworks } = config;
  return async (host) => {
    // A user who is not root hands the script on to root's shell by itself.
    const command = host.user === "root" ? rootShell(host) : "sh -s";
    const [program = "", ...args] = sshCommand(stack, host.name, command.split(" "));
    const script = renderFacts({ host, encrypted: encryptNetworks, places: placesOf(config, host) });
    const answer = await new Promise<Answer>((resolve, reject) => {
      const child = execFile(program, args, { cwd: root, timeout: dialMs }, (error, stdout, stderr) => {
        if (error?.code === "ENOENT") reject(new pulumi.RunError("ssh: not found on PATH; install the OpenSSH client"));
        else resolve(readAnswer(error?.killed === true ? "late" : Number(error?.code ?? 0), stdout, stderr));
      });
      // A connection that fails closes it early; its exit says why.
      child.stdin?.on("error", () => undefined).end(script);
    });
    if (!("failure" in answer) || answer.failure !== "other key" || answer.offered !== undefined) return answer;
    // ssh tells no digest of a key of another kind than the pinned one; through a jump host nobody else can ask.
    if (host.jump !== undefined) return answer;
    const offered = bestHostKey(await scanHostKeys(host.address, host.port));
    return { ...answer, ...(offered !== undefined && { offered: fingerprint(offered) }) };
  };
}
