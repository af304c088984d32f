import { bytes, showBytes } from "../shared/size.ts";
import type { Finding } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { list, show } from "./refusals.ts";
import type { Resources } from "./resources.ts";
import type { StackParts } from "./stack-rules.ts";
import { poolerName, type StoreParts } from "./store-rules.ts";
import type { SystemParts } from "./system-rules.ts";

/* Where a stack puts what it runs, and whether its hosts have room for that. */

type HostParts = NonNullable<StackParts["hosts"]>[number];

/** Something that runs, as often as the stack says. */
interface Load {
  readonly name: string;
  readonly tasks: number;
  readonly resources: Parts<Resources>;
  /** Named volumes, which keep it on one host. */
  readonly volumes: readonly string[];
  /** Host that the stack file binds it to. */
  readonly host: string | undefined;
}

export function hostRules(stack: StackParts, system: SystemParts): Finding[] {
  const hosts = stack.hosts ?? [];
  const loads = loadsOf(stack, system);
  return [...placementRules(hosts, loads), ...capacityRules(hosts, loads)];
}

function loadsOf(stack: StackParts, system: SystemParts): Load[] {
  const load = (
    name: string,
    tasks: number,
    resources: Parts<Resources> | undefined,
    volumes: string[] = [],
  ): Load => ({
    name,
    tasks,
    volumes,
    resources: { cpus: 1, ...resources, ...stack.services?.[name]?.resources },
    host: stack.services?.[name]?.host,
  });
  const services = Object.entries(system.services ?? {}).flatMap(([name, service]) => {
    // A job has ended before what depends on it starts.
    if (service.kind === "job") return [];
    const tasks = stack.services?.[name]?.replicas ?? service.replicas ?? 1;
    return [load(name, tasks, service.resources, Object.keys(service.volumes ?? {}))];
  });
  const stores = Object.entries(system.data ?? {}).flatMap(([name, store]) =>
    store.kind === "managed"
      ? []
      : [load(name, 1, store.resources, [name]), ...poolers(name, store, stack.services?.[name]?.host)],
  );
  return [...services, ...stores];
}

/** A pooler runs beside its store. */
function poolers(name: string, store: StoreParts, host: string | undefined): Load[] {
  if (store.kind !== "postgres" || !store.pooler) return [];
  const resources = { cpus: 1, ...store.pooler.resources };
  return [{ name: poolerName(name), tasks: 1, volumes: [], resources, host }];
}

function placementRules(hosts: readonly HostParts[], loads: readonly Load[]): Finding[] {
  const names = [...new Set(hosts.flatMap(({ name }) => name ?? []))];
  if (hosts.some(({ name }) => name === undefined)) return [];
  return loads.flatMap(({ name, host, volumes }) => {
    const path = ["services", name, "host"];
    if (host !== undefined && !names.includes(host)) {
      return [{ path, message: `is not a host of the stack, got ${show(host)}; use ${list(names, "or")}` }];
    }
    if (host === undefined) {
      if (volumes.length === 0 || names.length < 2) return [];
      return [{ path, message: `is missing; its volume is on one of the hosts, write ${list(names, "or")}` }];
    }
    return volumes.flatMap((volume) => {
      const first = loads.find((other) => other.volumes.includes(volume) && other.host !== undefined);
      if (first?.host === undefined || first.host === host) return [];
      const message = `is not the host of the volume ${show(volume)}, got ${show(host)}; write ${first.host}, as ${first.name} has it`;
      return [{ path, message }];
    });
  });
}

function capacityRules(hosts: readonly HostParts[], loads: readonly Load[]): Finding[] {
  const bound = hosts.length < 2 ? [] : hosts.map((host) => [[host], loads.filter(({ host: at }) => at === host.name)]);
  const places = [[hosts, loads], ...bound] as [readonly HostParts[], readonly Load[]][];
  return [
    ...places.flatMap(([where, what]) => exceeded(where, what, memory)),
    ...places.flatMap(([where, what]) => exceeded(where, what, reservedCores)),
    ...tooLarge(hosts, loads, memory),
    ...tooLarge(hosts, loads, cores),
  ];
}

interface Quantity {
  readonly of: (host: HostParts) => number | undefined;
  readonly asked: (load: Load) => number;
  readonly show: (amount: number) => string;
  readonly wrong: string;
  readonly cure: string;
}

const memory: Quantity = {
  of: ({ memory: size }) => size && bytes(size),
  asked: ({ resources }) => (resources.memory ? bytes(resources.memory) : 0),
  show: showBytes,
  wrong: "less memory than the limits of what runs",
  cure: "add memory or hosts, or lower limits and replicas",
};
// A limit of cores is a share in competition, which may add up to more than there are; a reservation is not.
const reservedCores: Quantity = {
  of: ({ cpus }) => cpus,
  asked: ({ resources }) => resources.reserveCpus ?? 0,
  show: (amount) => `${amount} ${amount === 1 ? "core" : "cores"}`,
  wrong: "fewer cores than what runs has reserved",
  cure: "add cores or hosts, or reserve less",
};
const cores: Quantity = { ...reservedCores, asked: ({ resources }) => resources.cpus ?? 1 };

const sum = (amounts: readonly number[]): number => Math.round(amounts.reduce((a, b) => a + b, 0) * 1000) / 1000;

/** Asked only where every host says what it has. */
function exceeded(hosts: readonly HostParts[], loads: readonly Load[], quantity: Quantity): Finding[] {
  const sizes = hosts.flatMap((host) => quantity.of(host) ?? []);
  const asking = loads.filter((load) => quantity.asked(load) * load.tasks > 0);
  const [has, asked] = [sum(sizes), sum(asking.map((load) => quantity.asked(load) * load.tasks))];
  if (hosts.length === 0 || sizes.length < hosts.length || asked <= has) return [];
  const arithmetic = (terms: readonly string[], total: number): string =>
    terms.length < 2 ? terms.join("") : `${terms.join(" + ")} = ${quantity.show(total)}`;
  const supply = hosts.map(({ name }, index) => `${name ?? "?"} ${quantity.show(sizes[index] ?? 0)}`);
  const demand = asking.map((load) => {
    const each = quantity.show(quantity.asked(load));
    return load.tasks === 1 ? `${load.name} ${each}` : `${load.name} ${load.tasks} × ${each}`;
  });
  const message = `have ${quantity.wrong} on them, got ${arithmetic(supply, has)} for ${arithmetic(demand, asked)}; ${quantity.cure}`;
  return [{ path: ["hosts"], message }];
}

/** One task is on one host. */
function tooLarge(hosts: readonly HostParts[], loads: readonly Load[], quantity: Quantity): Finding[] {
  const sizes = hosts.flatMap((host) => quantity.of(host) ?? []);
  if (hosts.length === 0 || sizes.length < hosts.length) return [];
  const largest = Math.max(...sizes);
  const large = loads.filter((load) => load.tasks > 0 && quantity.asked(load) > largest);
  return large.map((load) => {
    const got = `got ${quantity.show(largest)} at most for ${quantity.show(quantity.asked(load))}`;
    const message = `have no room for a task of ${load.name}, ${got}; use a larger host, or lower its limit`;
    return { path: ["hosts"], message };
  });
}
