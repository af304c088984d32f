import type { Problem } from "../shared/errors.ts";
import { bytes } from "../shared/size.ts";
import type { Parts } from "./lenient.ts";
import { show } from "./refusals.ts";
import type { Resources } from "./resources.ts";
import type { StackParts } from "./stack-rules.ts";
import type { ServiceParts, StoreParts, SystemParts } from "./system-rules.ts";

/* Does it fit? Asked of the system with the stack's sizes; a problem is named where its value was set last. */

export function capacityProblems(stack: StackParts, system: SystemParts): Problem[] {
  const sized = [...entries("services", system.services), ...entries("data", system.data)].map(
    ([section, name, spec]) => ({
      spec,
      override: stack.services?.[name] ?? {},
      resources: { cpus: 1, ...spec.resources, ...stack.services?.[name]?.resources },
      places: { stack: `berth:services.${name}`, system: `system.${section}.${name}` },
    }),
  );
  return [
    ...sized.flatMap((thing) => reservationProblems(thing)),
    ...sized.flatMap((thing) => redisProblems(thing)),
    ...connectionProblems(stack, system),
  ];
}

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

/** Postgres keeps these for its superuser: `superuser_reserved_connections`. */
const reservedForAdministration = 3;

/** Counted for a rollout, when old and new tasks overlap. */
function connectionProblems(stack: StackParts, system: SystemParts): Problem[] {
  return entries("data", system.data).flatMap(([, store, spec]) => {
    const demands = entries("services", system.services).flatMap(([, name, service]) => {
      const perTask = service.connections?.[store] ?? 0;
      const tasks = tasksDuringRollout(service, stack.services?.[name]?.replicas);
      return perTask * tasks === 0 ? [] : [{ total: perTask * tasks, text: `${name} ${tasks} × ${perTask}` }];
    });
    const { field, own, reserved } = limitOf(spec);
    const override = stack.services?.[store]?.[field];
    const limit = override ?? own;
    const total = demands.reduce((sum, demand) => sum + demand.total, reserved);
    if (limit === undefined || total <= limit) return [];
    const sum = [...demands.map(({ text }) => text), ...(reserved > 0 ? [`administration ${reserved}`] : [])].join(
      " + ",
    );
    const message =
      `is less than the tasks of a rollout may open, got ${limit} for ${sum} = ${total}; ` +
      `write ${total} or more, or give services fewer replicas or smaller pools`;
    return [{ path: `${override === undefined ? "system.data" : "berth:services"}.${store}.${field}`, message }];
  });
}

/** With start-first, old and new tasks run side by side. */
function tasksDuringRollout(service: ServiceParts, override: number | undefined): number {
  if (service.kind === "job") return 1;
  const replicas = override ?? service.replicas ?? 1;
  const { order, parallelism = 0 } = service.rollout ?? {};
  if (order === "stop-first") return replicas;
  return replicas + (parallelism === 0 ? replicas : Math.min(parallelism, replicas));
}

interface Limit {
  readonly field: "maxclients" | "maxConnections";
  readonly own: number | undefined;
  readonly reserved: number;
}

function limitOf(store: StoreParts): Limit {
  if (store.kind === "redis") return { field: "maxclients", own: store.maxclients, reserved: 0 };
  return { field: "maxConnections", own: store.maxConnections, reserved: reservedForAdministration };
}
