import { bestHostKey, fingerprint, scanHostKeys, scanSeconds } from "../../components/fleet/host-key.ts";
import { exitCodes, OperatorError, text, usageError, type Verb } from "../verb.ts";

export const verb: Verb = {
  usage: "ADDRESS[:PORT]",
  help: [
    "Asks the SSH server at ADDRESS for its public host key and prints the line for the stack file, with the",
    "fingerprint. What the network answers may be a stranger's key: compare the fingerprint before you paste.",
    "",
    "  --port N  SSH port, like ADDRESS:N; 22 by default",
  ].join("\n"),
  options: { port: { type: "string" } },
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
    context.print(hostKeyLines(bestKey(await scan(address, port), address, port)));
    return exitCodes.done;
  },
};

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
