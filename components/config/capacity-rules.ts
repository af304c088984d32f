import type { Problem } from "../shared/errors.ts";
import { bytes } from "../shared/size.ts";
import type { Parts } from "./lenient.ts";
import { show } from "./refusals.ts";
import type { Resources } from "./resources.ts";
import type { StackParts } from "./stack-rules.ts";
import { poolerName, type StoreParts } from "./store-rules.ts";
import { isEnding } from "./service.ts";
import type { ServiceParts, SystemParts } from "./system-rules.ts";

/* Does it fit? Asked of the system with the stack's sizes; a problem is named where its value was set last. */

export function capacityProblems(stack: StackParts, system: SystemParts): Problem[] {
  const sized = [...entries("services", system.services), ...entries("data", system.data)].map(
    ([section, name, spec]) => ({
      spec,
      override: stack.services?.[name] ?? {},
      resources: { cpus: 1, ...resourcesOf(spec), ...stack.services?.[name]?.resources },
      places: { stack: `berth:services.${name}`, system: `system.${section}.${name}` },
    }),
  );
  return [
    ...sized.flatMap((thing) => reservationProblems(thing)),
    ...sized.flatMap((thing) => [...redisProblems(thing), ...bufferProblems(thing)]),
    ...connectionProblems(stack, system),
    ...processProblems(stack, system),
  ];
}

const resourcesOf = (spec: ServiceParts | StoreParts): Parts<Resources> =>
  spec.kind === "managed" ? {} : (spec.resources ?? {});

interface Sized {
  readonly spec: ServiceParts | StoreParts;
  readonly override: NonNullable<StackParts["services"]>[string];
  /** With the override. */
  readonly resources: Parts<Resources>;
  readonly places: { readonly stack: string; readonly system: string };
}

const entries = <T>(section: string, things: Readonly<Record<string, T>> | undefined): [string, string, T][] =>
  Object.entries(things ?? {}).map(([name, thing]) => [section, name, thing]);

function reservationProblems({ resources, override, places }: Sized): Problem[] {
  const { memory, reserveMemory, cpus, reserveCpus } = resources;
  const path = (field: string): string =>
    `${field in (override.resources ?? {}) ? places.stack : places.system}.resources.${field}`;
  const problems: Problem[] = [];
  if (memory && reserveMemory && bytes(reserveMemory) > bytes(memory)) {
    const message = `is above the limit, got ${show(reserveMemory)} of ${show(memory)}; write ${show(memory)} or less`;
    problems.push({ path: path("reserveMemory"), message });
  }
  if (cpus && reserveCpus && reserveCpus > cpus) {
    const message = `is above the limit, got ${reserveCpus} of ${cpus}; write ${cpus} or less`;
    problems.push({ path: path("reserveCpus"), message });
  }
  return problems;
}

function redisProblems({ spec, resources: { memory }, override, places }: Sized): Problem[] {
  if (spec.kind !== "redis") return [];
  const maxmemory = override.maxmemory ?? spec.maxmemory;
  if (!maxmemory || !memory || bytes(maxmemory) < bytes(memory)) return [];
  const changed = override.maxmemory !== undefined ? "maxmemory" : override.resources?.memory && "resources.memory";
  const message =
    `leaves Redis no memory for itself, got maxmemory ${show(maxmemory)} of a limit of ${show(memory)}; ` +
    "keep maxmemory at three quarters of the limit: rewriting its file takes the rest";
  return [{ path: changed === undefined ? `${places.system}.maxmemory` : `${places.stack}.${changed}`, message }];
}

/** `shared_buffers` comes from the memory limit, unless the system sets it itself. */
function bufferProblems({ spec, resources: { memory }, places }: Sized): Problem[] {
  const buffers = spec.kind === "postgres" ? spec.settings?.shared_buffers : undefined;
  const [, count, unit] = /^(\d+)(kB|MB|GB)$/.exec(buffers ?? "") ?? [];
  if (!memory || count === undefined || unit === undefined) return [];
  if (bytes(`${Number(count)} ${unit.toUpperCase() as "KB" | "MB" | "GB"}`) * 2 <= bytes(memory)) return [];
  const message =
    `leaves PostgreSQL no memory for its sessions, got ${show(buffers)} of a limit of ${show(memory)}; ` +
    "write half of the limit or less, or remove it: a quarter is taken by itself";
  return [{ path: `${places.system}.settings.shared_buffers`, message }];
}

/** Postgres keeps these for its superuser: `superuser_reserved_connections`. */
const reservedForAdministration = 3;

/** Counted for a rollout, when old and new tasks overlap. */
function connectionProblems(stack: StackParts, system: SystemParts): Problem[] {
  return entries("data", system.data).flatMap(([, store, spec]) =>
    limitsOf(store, spec).flatMap(({ target, field, own, demands: fixed }) => {
      const demands = entries("services", system.services).flatMap(([, name, service]) => {
        const perTask = service.connections?.[target] ?? 0;
        const tasks = tasksDuringRollout(service, stack.services?.[name]?.replicas);
        return perTask * tasks === 0 ? [] : [{ total: perTask * tasks, text: `${name} ${tasks} × ${perTask}` }];
      });
      const override = field === "pooler.maxClientConnections" ? undefined : stack.services?.[store]?.[field];
      const limit = override ?? own;
      const all = [...demands, ...fixed];
      const total = all.reduce((sum, demand) => sum + demand.total, 0);
      if (limit === undefined || total <= limit) return [];
      const message =
        `is less than the tasks of a rollout may open, got ${limit} for ${all.map(({ text }) => text).join(" + ")} = ` +
        `${total}; write ${total} or more, or give services fewer replicas or smaller pools`;
      return [{ path: `${override === undefined ? "system.data" : "berth:services"}.${store}.${field}`, message }];
    }),
  );
}

/** What Postgres runs beside its connections: writers, vacuum, parallel workers, its health check. */
const ownProcesses = 64;

function processProblems({ docker, services, edge }: StackParts, { data = {} }: SystemParts): Problem[] {
  const limit = docker?.pidsLimit;
  if (typeof limit !== "number") return [];
  const pids = edge?.resources?.pids ?? 0;
  const message = `is above the limit of all containers, got ${pids} of ${limit}; raise berth:docker.pidsLimit, or write ${limit} or less`;
  return [
    ...(pids > limit ? [{ path: "berth:edge.resources.pids", message }] : []),
    ...postgresProblems(limit, services, data),
  ];
}

/** Postgres has a process for each connection. */
function postgresProblems(
  limit: number,
  services: StackParts["services"],
  data: NonNullable<SystemParts["data"]>,
): Problem[] {
  return Object.entries(data).flatMap(([name, store]) => {
    const connections =
      store.kind === "postgres" ? (services?.[name]?.maxConnections ?? store.maxConnections) : undefined;
    if (connections === undefined || connections + ownProcesses <= limit) return [];
    const message =
      `is less than ${name} may start, got ${limit} for ${connections} connections and ${ownProcesses} processes of ` +
      `its own; write ${connections + ownProcesses} or more`;
    return [{ path: "berth:docker.pidsLimit", message }];
  });
}

/** With start-first, old and new tasks run side by side. */
function tasksDuringRollout(service: ServiceParts, override: number | undefined): number {
  if (isEnding(service)) return 1;
  const replicas = override ?? service.replicas ?? 1;
  const { order, parallelism = 0 } = service.rollout ?? {};
  if (order === "stop-first") return replicas;
  return replicas + (parallelism === 0 ? replicas : Math.min(parallelism, replicas));
}

interface Demand {
  readonly total: number;
  readonly text: string;
}

/** How many connections something takes, under the name by which services reach it. */
interface Limit {
  readonly target: string;
  readonly field: "maxclients" | "maxConnections" | "pooler.maxClientConnections";
  readonly own: number | undefined;
  /** What is taken before any service asks. */
  readonly demands: readonly Demand[];
}

function limitsOf(name: string, store: StoreParts): Limit[] {
  switch (store.kind) {
    case "redis":
      return [{ target: name, field: "maxclients", own: store.maxclients, demands: [] }];
    case "managed":
      return [{ target: name, field: "maxConnections", own: store.maxConnections, demands: [] }];
    case "postgres": {
      const administration = { total: reservedForAdministration, text: `administration ${reservedForAdministration}` };
      const demands = [...poolerDemand(store), administration];
      const server: Limit = { target: name, field: "maxConnections", own: store.maxConnections, demands };
      if (!store.pooler) return [server];
      const own = store.pooler.maxClientConnections;
      return [server, { target: poolerName(name), field: "pooler.maxClientConnections", own, demands: [] }];
    }
    default:
      return [];
  }
}

/** PgBouncer keeps a pool for each role in each database. */
function poolerDemand({ pooler, databases }: Extract<StoreParts, { kind: "postgres" }>): Demand[] {
  const size = pooler?.poolSize;
  if (size === undefined) return [];
  const pools = Object.values(databases ?? {}).reduce(
    (sum, { access }) => sum + 1 + Object.keys(access ?? {}).length,
    0,
  );
  return [{ total: pools * size, text: `pooler ${pools} × ${size}` }];
}
