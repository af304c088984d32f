import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { run } from "../../lab/run.ts";
import { freePorts } from "../../lab/state.ts";
import { newSshKey } from "./ssh-key.ts";

/** A real OpenSSH server on 127.0.0.1, for the user who runs the tests and a key made for the occasion. */
export interface Sshd {
  readonly port: number;
  readonly user: string;
  /** Its own key, as `connection.hostKey` wants it. */
  readonly hostKey: string;
  /** Private key that it lets in. */
  readonly privateKey: string;
  readonly publicKey: string;
  stop(): Promise<void>;
}

const program = "/usr/sbin/sshd";

/**
 * Starts one; brings the distribution's package when the machine has none. Variables called `GREETING` pass.
 *
 * @param letIn The key that it lets in, when another server's is to open this one too
 */
export async function startSshd(letIn?: { readonly private: string; readonly public: string }): Promise<Sshd> {
  await ensureInstalled();
  const directory = await mkdtemp(join(tmpdir(), "berth-sshd-"));
  const [port = 0] = await freePorts(1);
  const [host, client] = await Promise.all([newSshKey(), letIn ?? newSshKey()]);
  await writeFile(join(directory, "host_key"), host.private, { mode: 0o600 });
  await writeFile(join(directory, "authorized_keys"), `${client.public}\n`);
  await writeFile(join(directory, "config"), config(directory, port));
  if (process.getuid?.() === 0) await mkdir("/run/sshd", { recursive: true });
  const child = spawn(program, ["-D", "-e", "-f", join(directory, "config")], { stdio: ["ignore", "ignore", "pipe"] });
  await listening(child);
  return {
    port,
    user: userInfo().username,
    hostKey: host.public,
    privateKey: client.private,
    publicKey: client.public,
    stop: async () => {
      const closed = once(child, "close");
      child.kill();
      await closed;
      await rm(directory, { recursive: true });
    },
  };
}

function config(directory: string, port: number): string {
  return `ListenAddress 127.0.0.1:${port}
HostKey ${directory}/host_key
AuthorizedKeysFile ${directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
AcceptEnv GREETING
`;
}

async function listening(child: ChildProcess): Promise<void> {
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stderr! })) {
    said.push(line);
    if (line.startsWith("Server listening")) {
      child.stderr!.resume();
      return;
    }
  }
  throw new Error(`sshd did not start:\n${said.join("\n")}`);
}

async function ensureInstalled(): Promise<void> {
  const isThere = await access(program).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  const install = "apt-get install -y --no-install-recommends openssh-server";
  if (process.getuid?.() !== 0) throw new Error(`${program}: not installed; run \`sudo ${install}\` once`);
  process.stderr.write("installing openssh-server from the distribution's packages for the SSH tests\n");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  await run(["sh", "-c", `apt-get update -q && ${install}`], { env });
}
