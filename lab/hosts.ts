import { mkdir } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import type Docker from "dockerode";
import { ensureContainer, execIn, findContainer, objectName, type ContainerSpec } from "./docker.ts";
import { until } from "./http.ts";
import type { LabImages } from "./images.ts";
import { ensurePrograms } from "./packages.ts";
import { run } from "./run.ts";
import type { Lab } from "./settings.ts";
import { keepPorts, keptPorts, readIfThere } from "./state.ts";
/** A lab host as the stack file describes it. */
export interface LabHost {
  readonly name: string;
  readonly sshPort: number;
  /** Port on 127.0.0.1 where its edge answers. */
  readonly httpsPort: number;
  /** Address on the lab's network: what DNS records point at. */
  readonly address: string;
  /** Public host key, `ssh-ed25519 AAAA…`. */
  readonly hostKey: string;
  /** Of its container: another one has nothing of what was deployed before. */
  readonly id: string;
}

/**
 * What systemd and a Docker daemon inside a container need; `--privileged` would ask for more than some machines
 * give. The host's own control groups, because systemd of Debian 12 manages them at their real path.
 */
const hostConfig: Docker.HostConfig & { CgroupnsMode: string } = {
  CapAdd: ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "NET_RAW", "DAC_READ_SEARCH"],
  SecurityOpt: ["seccomp=unconfined", "apparmor=unconfined"],
  // The API's form of `--security-opt systempaths=unconfined`.
  MaskedPaths: [],
  ReadonlyPaths: [],
  CgroupnsMode: "host",
  Tmpfs: { "/run": "exec", "/run/lock": "" },
  RestartPolicy: { Name: "unless-stopped" },
};

/** Starts the lab's hosts: systemd and sshd, nothing else. berth bootstraps them like any other machines. */
export async function ensureHosts(
  docker: Docker,
  lab: Lab,
  images: LabImages,
  atLeast: number,
  prefix: string,
  report: (step: string) => void,
): Promise<LabHost[]> {
  const names = hostNames(lab.hosts, atLeast, Object.keys(await keptPorts(hostPortsFile(lab))));
  const ports = await keepPorts(hostPortsFile(lab), names.flatMap(portPurposes));
  const { tag } = lab.prepared === true ? images.prepared : images.host;
  const key = (await readIfThere(`${await ensureSshKey(lab, report)}.pub`)) ?? "";
  return Promise.all(
    names.map(async (name, index) => {
      const own = portsOf(lab, name, ports);
      const spec = hostSpec(name, tag, `${prefix}.${11 + index}`, own);
      const { id, hostKey } = await ensureHost(docker, lab, spec, { key, sshPort: own.ssh }, report);
      return { name, sshPort: own.ssh, httpsPort: own.https, address: spec.address, hostKey, id };
    }),
  );
}

/** Names of the hosts that a lab is to have; those that it has stay. */
export function hostNames(asked: number | undefined, atLeast: number, kept: readonly string[]): string[] {
  const there = kept.filter((purpose) => /^host\d+$/.test(purpose)).length;
  const count = asked ?? Math.max(atLeast, there);
  if (count < there)
    throw new Error(
      `--hosts or LAB_HOSTS: is less than the lab has, got ${count} of ${there}; ` +
        "keep them, or remove the lab first: npm run lab:down",
    );
  return Array.from({ length: count }, (_, index) => `host${index + 1}`);
}

interface HostPorts {
  readonly ssh: number;
  readonly http: number;
  readonly https: number;
}

/** The first host has the ports that the lab's user chose. */
function portPurposes(name: string): string[] {
  return name === "host1" ? [name] : [name, `${name}-http`, `${name}-https`];
}

function portsOf(lab: Lab, name: string, ports: Readonly<Record<string, number>>): HostPorts {
  const at = (purpose: string): number => ports[purpose] ?? 0;
  const edge =
    name === "host1"
      ? { http: lab.httpPort, https: lab.httpsPort }
      : { http: at(`${name}-http`), https: at(`${name}-https`) };
  return { ssh: at(name), ...edge };
}

function hostPortsFile(lab: Lab): string {
  return join(lab.directory, "host-ports.json");
}

async function ensureHost(
  docker: Docker,
  lab: Lab,
  spec: ContainerSpec,
  { key, sshPort }: { readonly key: string; readonly sshPort: number },
  report: (step: string) => void,
): Promise<{ id: string; hostKey: string }> {
  const { part } = spec;
  const found = await findContainer(docker, lab, spec);
  // A host holds what was deployed on it. Replacing it unasked would be the opposite of what the lab is for.
  if (found && !found.same)
    throw new Error(
      `${objectName(lab, part)}: was made with other settings (ports or image) than now; ` +
        "keep those, or remove the lab first: npm run lab:down",
    );
  const { container, outcome } = await ensureContainer(docker, lab, spec);
  if (outcome !== "kept") report(`${part} ${outcome}`);
  await execIn(container, [
    "sh",
    "-c",
    `umask 077; mkdir -p /root/.ssh; echo '${key.trim()}' >/root/.ssh/authorized_keys`,
  ]);
  const hostKey = await until(part, () => execIn(container, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]));
  await until(part, () => sshGreets(sshPort));
  const [type = "", data = ""] = hostKey.trim().split(" ");
  return { hostKey: `${type} ${data}`, id: (await container.inspect()).Id };
}

export function hostSpec(name: string, image: string, address: string, ports: HostPorts): ContainerSpec {
  return {
    part: name,
    image,
    address,
    ports: { [ports.ssh]: "22/tcp", [ports.http]: "80/tcp", [ports.https]: "443/tcp" },
    binds: ["/sys/fs/cgroup:/sys/fs/cgroup:rw"],
    // overlay2 cannot stand on the container's own overlay.
    anonymousVolumes: ["/var/lib/docker"],
    hostConfig,
  };
}

/** Path of the private key by which berth reaches the hosts, made once. */
export async function ensureSshKey(lab: Lab, report: (step: string) => void): Promise<string> {
  const path = join(lab.directory, "ssh", "id_ed25519");
  if ((await readIfThere(`${path}.pub`)) !== undefined) return path;
  await ensurePrograms(["ssh"], report);
  await mkdir(join(lab.directory, "ssh"), { recursive: true, mode: 0o700 });
  // An interrupted run may have left the private half alone; ssh-keygen asks before it overwrites.
  await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", `berth lab ${lab.name}`, "-f", path], {
    input: "y\n",
  });
  return path;
}

function sshGreets(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(2000, () => socket.destroy(new Error("no greeting within 2 s")));
    socket.once("error", reject).once("close", () => {
      reject(new Error("closed without a greeting"));
    });
    socket.once("data", () => {
      resolve();
      socket.destroy();
    });
  });
}
