import { createHash } from "node:crypto";
import { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import type Docker from "dockerode";
import type { Lab } from "./settings.ts";

/** Everything that belongs to a lab carries this label with the lab's name: `lab:down` goes by it alone. */
export const labLabel = "berth.lab";
const specLabel = "berth.lab.spec";

export function objectName(lab: Pick<Lab, "name">, part: string): string {
  return `berth-${lab.name}-${part}`;
}

/** How a container of the lab is made. What it says decides whether a running one is the right one. */
export interface ContainerSpec {
  readonly part: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly address: string;
  readonly aliases?: readonly string[];
  readonly dns?: readonly string[];
  /** Container ports, for example `80/tcp`, by the port on 127.0.0.1 that leads there. */
  readonly ports?: Readonly<Record<number, string>>;
  /** `source:target[:ro]`, named volumes included. */
  readonly binds?: readonly string[];
  /** Further options of the Docker API's HostConfig. */
  readonly hostConfig?: Docker.HostConfig;
  readonly anonymousVolumes?: readonly string[];
  /** Stands for content that is mounted: when it changes, the container is made anew. */
  readonly contentHash?: string;
}

export function hash(value: unknown): string {
  return createHash("sha256")
    .update(typeof value === "string" ? value : JSON.stringify(value))
    .digest("hex")
    .slice(0, 16);
}

/** What is there under this name, and whether it was made from the same specification. */
export async function findContainer(docker: Docker, lab: Lab, spec: ContainerSpec) {
  const container = docker.getContainer(objectName(lab, spec.part));
  try {
    const { Config, State } = await container.inspect();
    return { container, running: State.Running, same: Config.Labels[specLabel] === hash(spec) };
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

/** Creates and starts the container unless it runs already. A container made from another specification is replaced. */
export async function ensureContainer(
  docker: Docker,
  lab: Lab,
  spec: ContainerSpec,
): Promise<{ container: Docker.Container; outcome: "kept" | "started" | "created" }> {
  const found = await findContainer(docker, lab, spec);
  if (found?.same) {
    if (found.running) return { container: found.container, outcome: "kept" };
    await found.container.start();
    return { container: found.container, outcome: "started" };
  }
  if (found) await found.container.remove({ force: true, v: true });
  const container = await docker.createContainer(createOptions(lab, spec));
  await container.start();
  return { container, outcome: "created" };
}

/** Pure, so that what the daemon is asked for can be tested without one. */
export function createOptions(lab: Pick<Lab, "name">, spec: ContainerSpec): Docker.ContainerCreateOptions {
  const ports = Object.entries(spec.ports ?? {});
  return {
    name: objectName(lab, spec.part),
    Image: spec.image,
    Hostname: spec.part,
    ...(spec.command ? { Cmd: [...spec.command] } : {}),
    Env: Object.entries(spec.env ?? {}).map(([key, value]) => `${key}=${value}`),
    Labels: { [labLabel]: lab.name, [specLabel]: hash(spec) },
    ExposedPorts: Object.fromEntries(ports.map(([, target]) => [target, {}])),
    ...(spec.anonymousVolumes ? { Volumes: Object.fromEntries(spec.anonymousVolumes.map((path) => [path, {}])) } : {}),
    HostConfig: {
      ...spec.hostConfig,
      NetworkMode: objectName(lab, "net"),
      ...(spec.dns ? { Dns: [...spec.dns] } : {}),
      Binds: [...(spec.binds ?? [])],
      PortBindings: Object.fromEntries(
        ports.map(([port, target]) => [target, [{ HostIp: "127.0.0.1", HostPort: port }]]),
      ),
    },
    NetworkingConfig: {
      EndpointsConfig: {
        [objectName(lab, "net")]: {
          Aliases: [...(spec.aliases ?? [])],
          IPAMConfig: { IPv4Address: spec.address },
        },
      },
    },
  };
}

/**
 * The lab's network, with a subnet that is chosen once: hosts keep their addresses over a restart of the daemon, as
 * the swarm on them needs. Returns the subnet's first three numbers.
 */
export async function ensureNetwork(docker: Docker, lab: Lab): Promise<string> {
  const name = objectName(lab, "net");
  for (
    let third = parseInt(hash(lab.name).slice(0, 2), 16), tries = 0;
    tries < 256;
    third = (third + 1) % 256, tries++
  ) {
    const prefix = await networkPrefix(docker, name);
    if (prefix !== undefined) return prefix;
    try {
      await docker.createNetwork({
        Name: name,
        CheckDuplicate: true,
        Labels: { [labLabel]: lab.name },
        IPAM: { Driver: "default", Config: [{ Subnet: `10.89.${third}.0/24` }] },
      });
    } catch (error) {
      // Someone else has this subnet; the next one may be free.
      if (!String(error).includes("overlap")) throw error;
    }
  }
  throw new Error(
    "10.89.0.0/16: no /24 is free for the lab's network; remove unused Docker networks (docker network prune)",
  );
}

async function networkPrefix(docker: Docker, name: string): Promise<string | undefined> {
  try {
    const { IPAM } = await docker.getNetwork(name).inspect();
    return IPAM?.Config?.[0]?.["Subnet"]?.split(".").slice(0, 3).join(".");
  } catch (error) {
    if (isStatus(error, 404)) return undefined;
    throw error;
  }
}

export async function ensureVolume(docker: Docker, lab: Lab, part: string): Promise<string> {
  const name = objectName(lab, part);
  // Creating a volume that is there changes nothing.
  await docker.createVolume({ Name: name, Labels: { [labLabel]: lab.name } });
  return name;
}

/** Removes one part and its volume of the same name, as far as they are there. */
export async function removePart(docker: Docker, lab: Lab, part: string): Promise<void> {
  const name = objectName(lab, part);
  for (const remove of [
    () => docker.getContainer(name).remove({ force: true, v: true }),
    () => docker.getVolume(name).remove(),
  ]) {
    try {
      await remove();
    } catch (error) {
      if (!isStatus(error, 404)) throw error;
    }
  }
}

/** Runs a command in a container and returns what it printed on both outputs; a failure carries it. */
export async function execIn(container: Docker.Container, argv: readonly string[]): Promise<string> {
  const exec = await container.exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true });
  // Without a terminal, which would make programs page and colour, the daemon mixes both outputs in frames.
  const stream = await exec.start({});
  let output = "";
  const collect = new Writable({
    write(chunk: Buffer, _encoding, done) {
      output += chunk.toString("utf8");
      done();
    },
  });
  (container.modem as Docker["modem"]).demuxStream(stream, collect, collect);
  await finished(stream);
  const { ExitCode } = await exec.inspect();
  if (ExitCode !== 0) throw new Error(`${argv.join(" ")}: ended with ${ExitCode ?? "no status"}: ${output.trim()}`);
  return output;
}

/** Removes every container, network and volume with the lab's label and names what it removed. */
export async function removeLabObjects(docker: Docker, lab: Pick<Lab, "name">): Promise<string[]> {
  const filters = { label: [`${labLabel}=${lab.name}`] };
  const containers = await docker.listContainers({ all: true, filters });
  await Promise.all(containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
  const networks = await docker.listNetworks({ filters });
  await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()));
  const { Volumes } = await docker.listVolumes({ filters: JSON.stringify(filters) as never });
  await Promise.all(Volumes.map(({ Name }) => docker.getVolume(Name).remove()));
  return [
    ...containers.map(({ Names, Id }) => `container ${Names[0]?.slice(1) ?? Id}`),
    ...networks.map(({ Name }) => `network ${Name}`),
    ...Volumes.map(({ Name }) => `volume ${Name}`),
  ];
}

/** Takes away names that a push to the registry on this port needed and an interruption left behind. */
export async function removePushNames(docker: Docker, registryPort: number): Promise<void> {
  const prefix = `127.0.0.1:${registryPort}/`;
  const images = await docker.listImages();
  const names = images.flatMap(({ RepoTags }) => RepoTags ?? []).filter((name) => name.startsWith(prefix));
  for (const name of names) await docker.getImage(name).remove({ noprune: true });
}

export function isStatus(error: unknown, status: number): boolean {
  return (error as { statusCode?: number }).statusCode === status;
}
