import { formatPath, type Path } from "../config/findings.ts";
import type { Host } from "../config/host.ts";
import type { Config } from "../config/load.ts";
import { list, show } from "../config/refusals.ts";
import type { Problem } from "../shared/errors.ts";
import { bytes, showBytes, type Size } from "../shared/size.ts";
import { diskMegabytes, supportedSystems } from "./engine.render.ts";
import type { Facts } from "./facts.ts";

/* A machine by itself, against what is asked of it. Pure. */

export type PreflightConfig = Pick<
  Config,
  "stack" | "environment" | "hosts" | "encryptNetworks" | "system" | "images" | "acme"
>;

/** A host that told what it is. */
export interface Told {
  readonly host: Host;
  readonly path: Path;
  readonly facts: Facts;
}

/** Part of what is asked for that a machine sold under that size may lack: its kernel keeps some to itself. */
const tolerance = 0.15;
/** Room that a host with Docker on it needs for the next images, in megabytes. */
const keptMegabytes = 512;

/** Where images come from whose names have no registry. */
const dockerHub = "registry-1.docker.io";

/** What a host has to reach outside: registries, and where the edge runs, what issues certificates. */
export function placesOf({ images, acme }: Pick<PreflightConfig, "images" | "acme">, host: Host): string[] {
  const registries = Object.values(images).map(({ repository }) => {
    const [first = "", ...rest] = repository.split("/");
    if (rest.length === 0 || !/[.:]|^localhost$/.test(first) || first === "docker.io") return `${dockerHub}:443`;
    return first.includes(":") ? first : `${first}:443`;
  });
  const { hostname, port } = new URL(acme.directory);
  const authority = host.labels["edge"] === "true" ? [`${hostname}:${port === "" ? "443" : port}`] : [];
  return [...new Set([...registries, ...authority])].toSorted();
}

export const problem = (path: Path, message: string): Problem => ({ path: formatPath("berth:", path), message });

export function machineProblems(config: PreflightConfig, { host, path, facts }: Told): Problem[] {
  const { name } = host;
  const problems: Problem[] = [];
  const add = (field: string | undefined, message: string): number =>
    problems.push(problem(field === undefined ? path : [...path, field], `host ${name} ${message}`));

  if (!supportedSystems.includes(facts.system)) {
    add(
      undefined,
      `runs a system that is not supported, got ${show(facts.system)}; use ${list(supportedSystems, "or")}`,
    );
  }
  if (facts.unencrypted !== undefined) {
    const cure =
      "use a kernel with ESP (Debian's and Ubuntu's have it, that of a container may not), or write berth:encryptNetworks: false " +
      "where the network between the hosts is private";
    add(undefined, `cannot encrypt the networks between hosts, got ${show(facts.unencrypted)}; ${cure}`);
  }
  if (facts.foreignDaemon) {
    const cure = "move it away, and Docker's data to /var/lib/docker if it names another place";
    add(undefined, `has a Docker configuration that would be replaced, got /etc/docker/daemon.json; ${cure}`);
  }
  const { privateAddress } = host;
  if (privateAddress !== undefined && facts.addresses.length > 0 && !facts.addresses.includes(privateAddress)) {
    const own = list(
      facts.addresses.filter((address) => !address.startsWith("127.")),
      "and",
    );
    add("privateAddress", `does not have this address, got ${privateAddress}, it has ${own}; write one of its own`);
  }
  problems.push(...sizeProblems(config, { host, path, facts }));
  const full = facts.disks.find(({ free }) => free < 1024 * (facts.engine === "none" ? diskMegabytes : keptMegabytes));
  if (full) {
    const wanted = facts.engine === "none" ? diskMegabytes : keptMegabytes;
    add(
      undefined,
      `has too little room below ${full.path}, got ${megabytes(full.free)} free; make room for ${wanted} MB`,
    );
  }
  return problems;
}

const megabytes = (kilobytes: number): string => `${Math.floor(kilobytes / 1024)} MB`;

/** What the stack file says that it has, and what the system asks of each of its machines. */
function sizeProblems({ environment, system }: PreflightConfig, { host, path, facts }: Told): Problem[] {
  const sources = new Map(facts.disks.map(({ source, size }) => [source, size]));
  const disk = [...sources.values()].reduce((sum, size) => sum + size, 0);
  const has = { memory: 1024 * facts.memory, cpus: facts.cores, disk: 1024 * disk };
  // The machine of a lab is whatever a developer has.
  const asked: Partial<Config["system"]["machine"]> = environment === "local" ? {} : system.machine;
  return (["memory", "cpus", "disk"] as const).flatMap((field): Problem[] => {
    const least = (wanted: Size | number): number =>
      typeof wanted === "number" ? wanted : (1 - tolerance) * bytes(wanted);
    const shown = field === "cpus" ? String(has.cpus) : showBytes(has[field]);
    const what = { memory: "less memory", cpus: "fewer cores", disk: "less room on its disks" }[field];
    const said = host[field];
    if (said !== undefined && has[field] < least(said)) {
      const message = `host ${host.name} has ${what} than the stack file says, got ${shown} for ${said}; write what it has, or use a larger machine`;
      return [problem([...path, field], message)];
    }
    const wanted = asked[field];
    if (wanted === undefined || has[field] >= least(wanted)) return [];
    const message = `host ${host.name} has ${what} than system.machine.${field} asks for, got ${shown} for ${wanted}; use a larger machine`;
    return [problem(path, message)];
  });
}
