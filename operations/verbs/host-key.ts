import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Jump } from "../../components/config/host.ts";
import { bestHostKey, fingerprint, scanHostKeys, scanSeconds } from "../../components/fleet/host-key.ts";
import { sshCommand, writeSshFiles } from "../../components/fleet/ssh.ts";
import { sshDirectory } from "../../components/fleet/ssh.render.ts";
import { jumpHostOf } from "../hosts.ts";
import { configSecret, type StackRef } from "../pulumi.ts";
import { readStackFile } from "../stack-file.ts";
import { exitCodes, OperatorError, stackOptions, stackOptionsHelp, text, usageError, type Verb } from "../verb.ts";

export const verb: Verb = {
  usage: "ADDRESS[:PORT]",
  help: [
    "Asks the SSH server at ADDRESS for its public host key and prints the line for the stack file, with the",
    "fingerprint. What the network answers may be a stranger's key: compare the fingerprint before you paste.",
    "",
    "  --port N            SSH port, like ADDRESS:N; 22 by default",
    "  --jump NAME         asks through this jump host of a stack file, whose own key is pinned there",
    "  --stack NAME        the stack of that file",
    stackOptionsHelp,
  ].join("\n"),
  options: { ...stackOptions, port: { type: "string" }, jump: { type: "string" }, stack: { type: "string" } },
  positionals: { min: 1, max: 1 },
  async run(context, [given = ""], flags) {
    // One colon is a port; more of them are an IPv6 address.
    const [address = "", ownPort] = given.split(":").length === 2 ? given.split(":") : [given];
    const port = text(flags, "port") ?? ownPort ?? "22";
    if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
      throw usageError(`berth host-key: port: is not a port, got ${JSON.stringify(port)}; use 1 to 65535`);
    }
    // An address that begins with a hyphen would be an option of ssh-keyscan.
    if (!/^[A-Za-z0-9_.:][A-Za-z0-9_.:-]*$/.test(address)) {
      throw usageError(
        `berth host-key: ADDRESS: is not a name or an IP, got ${JSON.stringify(address)}; write for example 203.0.113.7`,
      );
    }
    const [jump, stack] = [text(flags, "jump"), text(flags, "stack")];
    if ((jump === undefined) !== (stack === undefined)) {
      throw usageError(
        "berth host-key: --jump and --stack: belong together; name the stack whose file has the jump host",
      );
    }
    const scanned =
      jump === undefined || stack === undefined
        ? await scan(address, port)
        : await scanThrough({ root: context.root, stack, configFile: text(flags, "config-file") }, jump, {
            address,
            port: Number(port),
          });
    context.print(hostKeyLines(bestKey(scanned, address, port)));
    return exitCodes.done;
  },
};

/** What ssh itself notes of a machine that it meets through the jump host; nobody logs in there. */
async function scanThrough(ref: StackRef, name: string, asked: Pick<Jump, "address" | "port">): Promise<string> {
  const file = readStackFile(ref);
  const jump = await jumpHostOf(file, name);
  const sshKey = file.values["sshKey"] === undefined ? undefined : await configSecret(ref, "berth:sshKey");
  const root = await mkdtemp(join(tmpdir(), "berth-key-"));
  try {
    const host = { name: "asked", ...asked, user: "root", role: "manager", state: "active", labels: {}, jump } as const;
    const stack = "asked";
    // Nothing follows, and a connection to the jump host would outlive the files that it was made with.
    writeSshFiles({ stack, hosts: [host], shared: false, ...(sshKey !== undefined && { sshKey }) }, root);
    const [program = "", ...args] = sshCommand(stack, host.name, ["true"]);
    const complaint = await new Promise<string>((resolve, reject) => {
      const options = { cwd: root, timeout: 4 * scanSeconds * 1000 };
      const child = execFile(program, ["-o", "PreferredAuthentications=none", ...args], options, (error, _, stderr) => {
        if (error && (error as NodeJS.ErrnoException).code === "ENOENT") {
          reject(new OperatorError("ssh: not found on PATH; install the OpenSSH client"));
        } else resolve(stderr.trim());
      });
      child.stdin?.end();
    });
    try {
      return await readFile(join(root, sshDirectory(stack), "accepted_hosts"), "utf8");
    } catch {
      throw new OperatorError(
        `${asked.address}: cannot be reached through ${name}, got ${JSON.stringify(complaint)}; ` +
          "check address, port and user of both, and that the jump host may forward connections",
      );
    }
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function scan(address: string, port: string): Promise<string> {
  try {
    return await scanHostKeys(address, port);
  } catch (error) {
    throw new OperatorError((error as Error).message);
  }
}

/** The key to pin among the lines that `ssh-keyscan` printed. */
export function bestKey(scanned: string, address: string, port: string): string {
  const best = bestHostKey(scanned);
  if (best !== undefined) return best;
  throw new OperatorError(
    `${address}: no SSH server gave a host key on port ${port} within ${scanSeconds} s; ` +
      "check the address, the port (--port N) and the firewall",
  );
}

/** Ready to paste below `hosts:`; the rest are comments. */
export function hostKeyLines(key: string): string {
  return [
    `hostKey: ${key}`,
    `# fingerprint ${fingerprint(key)}`,
    "# Compare it with what the machine itself says, on its console or in your provider's panel:",
    `#   ssh-keygen -lf /etc/ssh/ssh_host_${fileKind(key)}_key.pub`,
    "# If it differs, somebody stands between you and the machine: do not use this line.",
  ].join("\n");
}

function fileKind(key: string): string {
  return key.startsWith("ssh-") ? key.slice("ssh-".length, key.indexOf(" ")) : "ecdsa";
}
