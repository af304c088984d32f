import { execFile } from "node:child_process";
import { createHash } from "node:crypto";

/** Best first; the others are for machines that are too old to have an ed25519 key. */
const kinds = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];

/** How long an SSH server is waited for. */
export const scanSeconds = 5;

/**
 * What `ssh-keyscan` prints about a server; nothing when none answers. Whose keys they are, nobody has checked.
 * Fails only when there is no `ssh-keyscan`.
 */
export async function scanHostKeys(address: string, port: number | string): Promise<string> {
  const args = ["-T", String(scanSeconds), "-p", String(port), "-t", "ed25519,ecdsa,rsa", address];
  return new Promise((resolve, reject) => {
    const child = execFile("ssh-keyscan", args, { timeout: 4 * scanSeconds * 1000 }, (error, stdout) => {
      if (error?.code === "ENOENT") reject(new Error("ssh-keyscan: not found on PATH; install the OpenSSH client"));
      // It exits 1 when one kind of key is missing; what counts is whether there is a key.
      else resolve(stdout);
    });
    child.stdin?.end();
  });
}

/** The key to pin among the lines that `ssh-keyscan` printed. */
export function bestHostKey(scanned: string): string | undefined {
  const keys = scanned
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(" ").slice(1, 3));
  const best = kinds.map((kind) => keys.find(([found]) => found === kind)).find((key) => key !== undefined);
  return best?.join(" ");
}

/** A key's digest, as `ssh-keygen -l` shows it on the machine itself. */
export function fingerprint(key: string): string {
  const digest = createHash("sha256")
    .update(Buffer.from(key.split(" ")[1] ?? "", "base64"))
    .digest("base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}
