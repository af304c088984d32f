import { spawn } from "node:child_process";
import { edgeProgram } from "../../components/edge/edge.render.ts";
import { sshCommand } from "../../components/fleet/ssh.ts";
import { ensureSshFiles, hostsOf } from "../hosts.ts";
import { readStackFile, textValue } from "../stack-file.ts";
import { exitCodes, OperatorError, stackOptions, stackOptionsHelp, text, usageError, type Verb } from "../verb.ts";

/** certbot's words for why a certificate is revoked. */
const reasons = ["unspecified", "keycompromise", "affiliationchanged", "superseded", "cessationofoperation"];

export const verb: Verb = {
  usage: "<stack> renew|revoke [NAME]",
  help: [
    "Replaces a certificate by a new one with a new key, now and without a gap, on one edge host after another. NAME is",
    "its name in the system, `main` by default. `revoke` then tells the authority to revoke the one before. When the",
    "authority refuses, nothing is revoked and the edge serves on with what it has. Authorities issue few certificates",
    "of the same names in a week, and each edge host has its own.",
    "",
    "  --host NAME    one edge host instead of all",
    `  --reason WORD  why it is revoked: ${reasons.join(", ")}`,
    stackOptionsHelp,
    "",
    "Example: npm run berth -- certificate production revoke --reason keycompromise",
  ].join("\n"),
  options: { ...stackOptions, host: { type: "string" }, reason: { type: "string" } },
  positionals: { min: 2, max: 3 },
  async run(context, [stack = "", action = "", name = "main"], flags) {
    const ask = request(action, name, text(flags, "reason"));
    const ref = { root: context.root, stack, configFile: text(flags, "config-file") };
    const file = readStackFile(ref);
    const system = textValue(file, "system");
    const hosts = await hostsOf(file);
    const edges = hosts.filter(({ labels }) => labels["edge"] === "true");
    const only = text(flags, "host");
    const chosen = only === undefined ? edges : edges.filter((host) => host.name === only);
    if (chosen.length === 0) {
      const known = edges.map((host) => host.name).join(", ");
      throw new OperatorError(
        `berth certificate: --host: is not an edge host, got ${JSON.stringify(only)}; use ${known}`,
      );
    }
    await ensureSshFiles(ref, file, hosts);
    for (const host of chosen) {
      context.note(`${host.name}: ${action} ${name}`);
      const argv = [...(host.user === "root" ? [] : ["sudo", "-n"]), edgeProgram, ask.verb, system, name, ...ask.rest];
      const code = await run(sshCommand(stack, host.name, argv), context.root, context.note);
      if (code !== 0) {
        throw new OperatorError(`${host.name}: failed with exit code ${code}; hosts after it were not touched`);
      }
    }
    return exitCodes.done;
  },
};

/** What the host's program is asked for. */
export function request(action: string, name: string, reason: string | undefined): { verb: string; rest: string[] } {
  if (!/^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/.test(name)) {
    throw usageError(
      `berth certificate: NAME: is not a certificate's name, got ${JSON.stringify(name)}; write for example main`,
    );
  }
  if (action === "renew" && reason === undefined) return { verb: "renew", rest: [] };
  if (action === "renew") throw usageError("berth certificate: --reason: belongs to revoke; remove it");
  if (action !== "revoke") {
    throw usageError(
      `berth certificate: is neither renew nor revoke, got ${JSON.stringify(action)}; write one of them`,
    );
  }
  if (reason !== undefined && !reasons.includes(reason)) {
    throw usageError(
      `berth certificate: --reason: is not a reason, got ${JSON.stringify(reason)}; use one of ${reasons.join(", ")}`,
    );
  }
  return { verb: "revoke", rest: [reason ?? "unspecified"] };
}

async function run([program = "", ...args]: string[], cwd: string, note: (text: string) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (said: string) => {
        note(said.trimEnd());
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      resolve(code ?? exitCodes.failed);
    });
  });
}
