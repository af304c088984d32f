import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface SshKey {
  /** As OpenSSH writes it, with its newline. */
  readonly private: string;
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly public: string;
}

/**
 * A new Ed25519 key by `ssh-keygen`. The ssh2 package's own generator leaves out a byte of the public key when it is
 * zero at its beginning, which makes one key in 256 unreadable for everybody else.
 */
export async function newSshKey(passphrase = ""): Promise<SshKey> {
  const directory = await mkdtemp(join(tmpdir(), "berth-key-"));
  try {
    const path = join(directory, "key");
    const args = ["-q", "-t", "ed25519", "-a", "4", "-Z", "aes256-ctr", "-N", passphrase, "-C", "", "-f", path];
    await promisify(execFile)("ssh-keygen", args);
    const [key, publicKey] = await Promise.all([readFile(path, "utf8"), readFile(`${path}.pub`, "utf8")]);
    return { private: key, public: publicKey.trim() };
  } finally {
    await rm(directory, { recursive: true });
  }
}
