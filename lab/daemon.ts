import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Docker from "dockerode";
import { isAlive } from "./lock.ts";
import { ensurePrograms } from "./packages.ts";
import { isInstalled, run } from "./run.ts";
import { exists } from "./state.ts";

/** The local Docker daemon: the one that answers, else the installed one started, else Debian's installed and started. */
export async function ensureDocker(cache: string, report: (step: string) => void): Promise<Docker> {
  const docker = new Docker();
  const problem = await ping(docker);
  if (problem === undefined) {
    report("the running daemon is used");
    return docker;
  }
  if (process.env["DOCKER_HOST"] !== undefined)
    throw new Error(`DOCKER_HOST: ${process.env["DOCKER_HOST"]} does not answer (${problem}); start it or unset it`);
  if (process.getuid?.() !== 0)
    throw new Error(
      `/var/run/docker.sock: ${problem}; start Docker and let your user reach it (sudo usermod -aG docker "$USER", ` +
        "then log in anew), or run this as root",
    );
  await ensurePrograms(["dockerd"], report);
  await start(docker, cache, report);
  return docker;
}

async function start(docker: Docker, cache: string, report: (step: string) => void): Promise<void> {
  if (await exists("/run/systemd/system")) {
    report("starting docker.service");
    await run(["systemctl", "start", "docker"]);
    await answers(docker, () => Promise.resolve(undefined), "journalctl -u docker");
    return;
  }
  if (!(await exists("/sys/fs/cgroup/cgroup.controllers")) && !(await exists("/sys/fs/cgroup/memory")))
    throw new Error("/sys/fs/cgroup: no control groups are mounted, which Docker needs; mount them (cgroupfs-mount)");
  const log = join(cache, "dockerd.log");
  await mkdir(cache, { recursive: true });
  report(`starting dockerd, which stays when the lab goes; its log: ${log}`);
  const output = openSync(log, "a");
  const child = spawn("dockerd", [], { detached: true, stdio: ["ignore", output, output] });
  closeSync(output);
  child.unref();
  const died = async () =>
    child.pid !== undefined && isAlive(child.pid) && child.exitCode === null
      ? undefined
      : (await readFile(log, "utf8")).split("\n").slice(-10).join("\n");
  child.on("error", () => undefined);
  await answers(docker, died, log);
}

async function answers(docker: Docker, died: () => Promise<string | undefined>, log: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const problem = await ping(docker);
    if (problem === undefined) return;
    const last = await died();
    if (last !== undefined) throw new Error(`dockerd ended at once; its last words (${log}):\n${last}`);
    if (Date.now() > deadline) throw new Error(`dockerd does not answer after 60 s (${problem}); read ${log}`);
    await sleep(200);
  }
}

async function ping(docker: Docker): Promise<string | undefined> {
  try {
    await docker.ping();
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return (await isInstalled("dockerd")) ? "no daemon runs" : "Docker is not installed";
    if (code === "ECONNREFUSED") return "no daemon runs";
    if (code === "EACCES") return "permission denied";
    return message;
  }
}
