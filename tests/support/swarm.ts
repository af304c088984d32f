import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { writeTinyImage } from "./tiny-image.ts";
import { until } from "./until.ts";

/** A swarm of one node that nobody else uses. */
export interface Swarm {
  /** As in DOCKER_HOST. */
  readonly host: string;
  readonly api: Docker;
  /** Puts a small image into the swarm's own registry and returns its reference with tag and digest. */
  image(name: string, tag: string, files?: Readonly<Record<string, string>>): Promise<string>;
  /** Ends everything in it and removes what it left on disk. */
  stop(): Promise<void>;
}

/*
 * The daemon lives in namespaces of its own, so that its swarm ports, overlay networks and iptables rules meet those
 * of nobody, and everything it started ends with the first process of its process namespace. /run/docker is covered
 * because the daemon keeps its network namespaces there, whatever the exec root is. The address is one to advertise:
 * a swarm refuses the loopback's own. The end of stdin ends the daemon, so that it does not outlive the tests.
 */
const boot = `set -eu
mount -t tmpfs tmpfs /run/docker
ip link set lo up
ip addr add 10.255.255.1/32 dev lo
"$2" "$3" "$1/registry" &
exec 3<&0
{ cat <&3; kill -TERM 1; } &
exec dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" --host "unix://$1/docker.sock" \\
  --bridge none --log-level warn
`;

export async function startSwarm(): Promise<Swarm> {
  if (process.getuid?.() !== 0) throw new Error("a swarm for tests needs root: it makes namespaces and mounts");
  await mkdir("/run/docker", { recursive: true });
  const directory = await mkdtemp(join(tmpdir(), "berth-swarm-"));
  await mkdir(join(directory, "registry"));
  const daemon = spawnDaemon(directory);
  const socketPath = join(directory, "docker.sock");
  const api = new Docker({ socketPath });
  const stop = async (): Promise<void> => {
    await end(daemon, api);
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await until("the swarm's daemon answers", 30_000, async () => {
      if (daemon.exitCode !== null) throw new Error(`dockerd ended: ${await readFile(join(directory, "log"), "utf8")}`);
      return api.ping().then(
        () => true,
        () => undefined,
      );
    });
    await api.swarmInit({ ListenAddr: "10.255.255.1:2377", AdvertiseAddr: "10.255.255.1" });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host: `unix://${socketPath}`,
    api,
    image: (name, tag, files = {}) => writeTinyImage(join(directory, "registry"), name, tag, files),
    stop,
  };
}

function spawnDaemon(directory: string): ChildProcess {
  const registry = join(import.meta.dirname, "tiny-registry.ts");
  const unshare = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const daemon = spawn("unshare", [...unshare, "sh", "-c", boot, "sh", directory, process.execPath, registry], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const log = createWriteStream(join(directory, "log"));
  daemon.stdout.pipe(log);
  daemon.stderr.pipe(log);
  return daemon;
}

/** Ends the containers before the daemon: a daemon that is killed leaves their cgroups behind. */
async function end(daemon: ChildProcess, api: Docker): Promise<void> {
  if (daemon.exitCode !== null || daemon.signalCode !== null) return;
  const closed = once(daemon, "close");
  await api.swarmLeave({ force: true }).catch(ignoreDaemonError);
  const containers = await api.listContainers().catch(() => []);
  await Promise.all(containers.map(({ Id }) => api.getContainer(Id).kill().catch(ignoreDaemonError)));
  daemon.stdin?.end();
  // Killing `unshare` kills whatever is left in the namespace.
  const kill = setTimeout(() => daemon.kill("SIGKILL"), 15_000);
  await closed;
  clearTimeout(kill);
}

function ignoreDaemonError(error: unknown): void {
  if (!(error instanceof Error && "statusCode" in error)) throw error;
}
