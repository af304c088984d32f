import { bytes, showBytes, type Size } from "../shared/size.ts";
import type { Finding } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { show } from "./refusals.ts";
import type { Resources } from "./resources.ts";
import type { StackParts } from "./stack-rules.ts";
import { poolerName } from "./store-rules.ts";
import type { SystemParts } from "./system-rules.ts";
import type { System } from "./system.ts";

/* Whether a stack's hosts have room for what it runs on them. */

type HostParts = NonNullable<StackParts["hosts"]>[number];

/** Something that runs, as often as the stack says. */
interface Load {
  readonly name: string;
  readonly tasks: number;
  readonly resources: Parts<Resources>;
}

export function roomRules(stack: StackParts, system: SystemParts): Finding[] {
  // A drained host runs nothing.
  const hosts = (stack.hosts ?? []).filter(({ state }) => state !== "drain");
  const loads = loadsOf(stack, system);
  return [
    ...(stack.environment === "local" ? [] : smaller(stack.hosts ?? [], system.machine ?? {})),
    ...exceeded(hosts, loads, memory),
    ...exceeded(hosts, loads, reservedCores),
    ...tooLarge(hosts, loads, memory),
    ...tooLarge(hosts, loads, cores),
  ];
}

/** Hosts that are smaller by the stack file alone; what they really have is asked before anything is changed. */
function smaller(hosts: readonly HostParts[], machine: Partial<System["machine"]>): Finding[] {
  return hosts.flatMap((host, index) =>
    (["memory", "cpus", "disk"] as const).flatMap((field): Finding[] => {
      const [has, least] = [host[field], machine[field]];
      const amount = (value: Size | number): number => (typeof value === "number" ? value : bytes(value));
      if (has === undefined || least === undefined || amount(has) >= amount(least)) return [];
      const message = `is less than system.machine.${field} asks for, got ${show(has)} for ${show(least)}; use a larger machine`;
      return [{ path: ["hosts", index, field], message }];
    }),
  );
}

function loadsOf(stack: StackParts, system: SystemParts): Load[] {
  const load = (name: string, tasks: number, resources: Parts<Resources> | undefined): Load => ({
    name,
    tasks,
    resources: { cpus: 1, ...resources, ...stack.services?.[name]?.resources },
  });
  const services = Object.entries(system.services ?? {}).flatMap(([name, service]) => {
    // A job has ended before what depends on it starts.
    if (service.kind === "job") return [];
    if (service.kind === "schedule") return [load(name, 1, service.resources)];
    return [load(name, stack.services?.[name]?.replicas ?? service.replicas ?? 1, service.resources)];
  });
  const stores = Object.entries(system.data ?? {}).flatMap(([name, store]) => {
    if (store.kind === "managed") return [];
    const pooler = store.kind === "postgres" ? store.pooler : undefined;
    return [load(name, 1, store.resources), ...(pooler ? [load(poolerName(name), 1, pooler.resources)] : [])];
  });
  return [...services, ...stores, ...edgeLoads(stack)];
}

/** nginx on each edge host. Of cores it takes no more than there are. */
function edgeLoads({ hosts = [], edge }: StackParts): Load[] {
  const tasks = hosts.filter(({ state, labels }) => state !== "drain" && labels?.["edge"] === "true").length;
  const limit = edge?.resources?.memory;
  return [{ name: "edge", tasks, resources: { cpus: 0, ...(limit !== undefined && { memory: limit }) } }];
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
