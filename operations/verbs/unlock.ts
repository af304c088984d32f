import { execFile } from "node:child_process";
import { managersOf } from "../../components/config/host.ts";
import { sshCommand } from "../../components/fleet/ssh.ts";
import { ensureSshFiles, hostsOf } from "../hosts.ts";
import { configSecret, setConfigSecret, type StackRef } from "../pulumi.ts";
import { readStackFile } from "../stack-file.ts";
import { exitCodes, OperatorError, stackOptions, stackOptionsHelp, text, type Verb } from "../verb.ts";

/** Docker waits until the manager has found the others; one that is gone answers nothing. */
const timeoutMs = 60_000;
const secret = "unlockKey";

export const verb: Verb = {
  usage: "<stack> [--save | --rotate]",
  help: [
    "Unlocks every manager that waits for its key since it restarted, with `berth:swarm: { autolock: true }`. The key",
    `comes from a manager that is not locked; when all are, from \`berth:${secret}\` in the stack file.`,
    "",
    `  --save              keeps the key as the secret \`berth:${secret}\` in the stack file, encrypted; unlocks nothing`,
    "  --rotate            has the swarm make a new key; where the stack file keeps one, it keeps the new one",
    stackOptionsHelp,
    "",
    "Keep it at once after autolock was turned on: when every manager has restarted, nothing else knows it.",
  ].join("\n"),
  options: { ...stackOptions, save: { type: "boolean" }, rotate: { type: "boolean" } },
  positionals: { min: 1, max: 1 },
  async run(context, [stack = ""], flags) {
    const ref = { root: context.root, stack, configFile: text(flags, "config-file") };
    const file = readStackFile(ref);
    const hosts = await hostsOf(file);
    await ensureSshFiles(ref, file, hosts);
    const managers = managersOf(hosts).map(({ name }) => name);
    const states = await Promise.all(managers.map(async (name) => stateOf(ref, name)));
    const inState = (state: string) => managers.filter((_, index) => states[index]?.state === state);
    const [open, locked] = [inState("active"), inState("locked")];
    managers.forEach((name, index) => {
      const { state, complaint } = states[index] ?? {};
      if (state !== "active" && state !== "locked") context.note(`${name}: is not asked, got ${complaint ?? state}`);
    });

    const isKept = file.values[secret] !== undefined;
    const [rotates, saves] = [flags["rotate"] === true, flags["save"] === true];
    if (rotates) {
      await rotate(ref, stack, managers, open);
      context.print("replaced; from now on the new key unlocks managers");
    }
    if (saves || (rotates && isKept)) {
      const found = await keyOf(ref, open);
      if (found === undefined) throw new OperatorError(noKey(stack, open, turnOn));
      await setConfigSecret(ref, `berth:${secret}`, found);
      context.print(`kept as the secret berth:${secret} in ${file.path}; commit it`);
    }
    if (rotates || saves) return exitCodes.done;
    if (locked.length === 0) {
      context.print("no manager is locked");
      return managers.length === open.length ? exitCodes.done : exitCodes.failed;
    }
    const kept = isKept ? () => configSecret(ref, `berth:${secret}`) : undefined;
    const found = (await keyOf(ref, open)) ?? (await kept?.());
    if (found === undefined) {
      throw new OperatorError(
        noKey(stack, open, `run \`pulumi config set --secret berth:${secret} --stack ${stack}\``),
      );
    }
    return (await unlockAll(ref, locked, found, context.print)) ? exitCodes.done : exitCodes.failed;
  },
};

const turnOn = "turn autolock on with `pulumi up` first";
const noKey = (stack: string, open: readonly string[], cure: string): string =>
  `berth unlock: ${stack}: no key, since ${
    open.length === 0 ? "no manager is unlocked" : "autolock is off"
  } and the stack file has none; ${cure}`;

/** What Docker prints is the key: whoever keeps it asks again. */
async function rotate(
  ref: StackRef,
  stack: string,
  managers: readonly string[],
  open: readonly string[],
): Promise<void> {
  const [first = ""] = open;
  const away = managers.filter((name) => !open.includes(name));
  // It would come back with the old key, which nobody has any more.
  if (away.length > 0)
    throw new OperatorError(
      `berth unlock: ${stack}: the key is replaced while all managers take part, got none of ${away.join(", ")}; ` +
        "unlock or start what is away first",
    );
  if ((await keyOf(ref, [first])) === undefined) throw new OperatorError(noKey(stack, open, turnOn));
  const { code, stderr } = await ask(ref, first, ["docker", "swarm", "unlock-key", "--rotate", "--quiet"]);
  if (code !== 0)
    throw new OperatorError(
      `berth unlock: ${first}: keeps its key, got ${JSON.stringify(stderr.trim())}; see docker node ls on it`,
    );
}

/** One manager after another: each that is back helps the next one to find the swarm. */
async function unlockAll(
  ref: StackRef,
  locked: readonly string[],
  key: string,
  print: (text: string) => void,
): Promise<boolean> {
  let all = true;
  for (const name of locked) {
    const { code, stderr } = await ask(ref, name, ["docker", "swarm", "unlock"], `${key}\n`);
    all &&= code === 0;
    // After a wrong key Docker 20.10 takes the right one, but no container joins a network of the swarm until a restart.
    const cure = "with another key, run `systemctl restart docker` on it first";
    print(code === 0 ? `${name}: unlocked` : `${name}: stays locked, got ${JSON.stringify(stderr.trim())}; ${cure}`);
  }
  return all;
}

async function stateOf(ref: StackRef, name: string): Promise<{ state: string; complaint?: string }> {
  const { code, stdout, stderr } = await ask(ref, name, ["docker", "info", "--format", "{{.Swarm.LocalNodeState}}"]);
  return code === 0 ? { state: stdout.trim() } : { state: "unknown", complaint: JSON.stringify(stderr.trim()) };
}

/** The key as a manager that is not locked gives it; nothing when none does, or autolock is off. */
async function keyOf(ref: StackRef, open: readonly string[]): Promise<string | undefined> {
  for (const name of open) {
    const { code, stdout } = await ask(ref, name, ["docker", "swarm", "unlock-key", "--quiet"]);
    const key = stdout.trim();
    if (code === 0 && key.startsWith("SWMKEY-")) return key;
  }
  return undefined;
}

interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command on a host; `input` goes by standard input, where no process list shows it. */
async function ask({ root, stack }: StackRef, host: string, argv: readonly string[], input = ""): Promise<Answer> {
  const [program = "", ...args] = sshCommand(stack, host, argv);
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: root, timeout: timeoutMs }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 1;
      resolve({ code, stdout, stderr: stderr.trim() || (error?.message ?? "") });
    });
    child.stdin?.on("error", () => undefined).end(input);
  });
}
