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
import { keepPorts, readIfThere } from "./state.ts";
/** A lab host as the stack file describes it. */
export interface LabHost {
  readonly name: string;
  readonly sshPort: number;
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

/** Starts the lab's host: systemd and sshd, nothing else. berth bootstraps it like any other machine. */
export async function ensureHosts(
  docker: Docker,
  lab: Lab,
  images: LabImages,
  prefix: string,
  report: (step: string) => void,
): Promise<LabHost[]> {
  const { host1: sshPort } = await keepPorts(join(lab.directory, "host-ports.json"), ["host1"]);
  const spec = hostSpec(lab, images.host.tag, `${prefix}.11`, sshPort);
  const found = await findContainer(docker, lab, spec);
  // A host holds what was deployed on it. Replacing it unasked would be the opposite of what the lab is for.
  if (found && !found.same)
    throw new Error(
      `${objectName(lab, "host1")}: was made with other settings (ports or image) than now; ` +
        "keep those, or remove the lab first: npm run lab:down",
    );
  const { container, outcome } = await ensureContainer(docker, lab, spec);
  if (outcome !== "kept") report(`host1 ${outcome}`);
  const key = (await readIfThere(`${await ensureSshKey(lab, report)}.pub`)) ?? "";
  await execIn(container, [
    "sh",
    "-c",
    `umask 077; mkdir -p /root/.ssh; echo '${key.trim()}' >/root/.ssh/authorized_keys`,
  ]);
  const hostKey = await until("host1", () => execIn(container, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]));
  await until("host1", () => sshGreets(sshPort));
  const [type = "", data = ""] = hostKey.trim().split(" ");
  return [
    { name: "host1", sshPort, address: spec.address, hostKey: `${type} ${data}`, id: (await container.inspect()).Id },
  ];
}

export function hostSpec(lab: Lab, image: string, address: string, sshPort: number): ContainerSpec {
  return {
    part: "host1",
    image,
    address,
    ports: { [sshPort]: "22/tcp", [lab.httpPort]: "80/tcp", [lab.httpsPort]: "443/tcp" },
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
