import type { Problem } from "../shared/errors.ts";
import { bytes } from "../shared/size.ts";
import { show } from "./refusals.ts";
import type { StackParts } from "./stack-rules.ts";
import type { SystemParts } from "./system-rules.ts";
import type { Resources, Service, Store } from "./system.ts";

/* Does it fit? Asked of the system with the stack's sizes; a problem is named where its value was set last. */

export function capacityProblems(stack: StackParts, system: SystemParts): Problem[] {
  const sized = [...entries("services", system.services), ...entries("data", system.data)].map(
    ([section, name, spec]) => {
      const override = stack.services?.[name]?.resources ?? {};
      const place = (field: keyof Resources, own: string): string =>
        field in override ? `berth:services.${name}.resources.${field}` : `system.${section}.${name}.${own}`;
      return { spec, resources: { ...spec.resources, ...override }, place };
    },
  );
  return [
    ...sized.flatMap(({ resources, place }) => reservationProblems(resources, place)),
    ...sized.flatMap(({ spec, resources, place }) => redisProblems(spec, resources, place)),
    ...connectionProblems(stack, system),
  ];
}

type Place = (field: keyof Resources, own: string) => string;

const entries = <T>(section: string, things: Readonly<Record<string, T>> | undefined): [string, string, T][] =>
  Object.entries(things ?? {}).map(([name, thing]) => [section, name, thing]);

function reservationProblems(resources: Resources, place: Place): Problem[] {
  const { memory, reserveMemory, cpus, reserveCpus } = resources;
  const problems: Problem[] = [];
  if (reserveMemory !== undefined && bytes(reserveMemory) > bytes(memory)) {
    const message = `is above the limit, got ${show(reserveMemory)} of ${show(memory)}; write ${show(memory)} or less`;
    problems.push({ path: place("reserveMemory", "resources.reserveMemory"), message });
  }
  if (reserveCpus !== undefined && reserveCpus > cpus) {
    const message = `is above the limit, got ${reserveCpus} of ${cpus}; write ${cpus} or less`;
    problems.push({ path: place("reserveCpus", "resources.reserveCpus"), message });
  }
  return problems;
}

function redisProblems(spec: Service | Store, { memory }: Resources, place: Place): Problem[] {
  if (spec.kind !== "redis" || bytes(spec.maxmemory) < bytes(memory)) return [];
  const message =
    `leaves Redis no memory for itself, got maxmemory ${show(spec.maxmemory)} of a limit of ${show(memory)}; ` +
    "keep maxmemory at three quarters of the limit: rewriting its file takes the rest";
  return [{ path: place("memory", "maxmemory"), message }];
}

/** Postgres keeps these for its superuser: `superuser_reserved_connections`. */
const reservedForAdministration = 3;

/** Counted for a rollout, when old and new tasks overlap. */
function connectionProblems(stack: StackParts, system: SystemParts): Problem[] {
  return entries("data", system.data).flatMap(([, store, spec]) => {
    const demands = entries("services", system.services).flatMap(([, name, service]) => {
      const perTask = service.connections[store] ?? 0;
      const tasks = tasksDuringRollout(service, stack.services?.[name]?.replicas);
      return perTask * tasks === 0 ? [] : [{ total: perTask * tasks, text: `${name} ${tasks} × ${perTask}` }];
    });
    const { field, limit, reserved } = limitOf(spec);
    const total = demands.reduce((sum, demand) => sum + demand.total, reserved);
    if (total <= limit) return [];
    const sum = [...demands.map(({ text }) => text), ...(reserved > 0 ? [`administration ${reserved}`] : [])].join(
      " + ",
    );
    const message =
      `is less than the tasks of a rollout may open, got ${limit} for ${sum} = ${total}; ` +
      `write ${total} or more, or give services fewer replicas or smaller pools`;
    return [{ path: `system.data.${store}.${field}`, message }];
  });
}

/** With start-first, old and new tasks run side by side. */
function tasksDuringRollout(service: Service, override: number | undefined): number {
  if (service.kind === "job") return 1;
  const replicas = override ?? service.replicas;
  const { order, parallelism } = service.rollout;
  if (order === "stop-first") return replicas;
  return replicas + (parallelism === 0 ? replicas : Math.min(parallelism, replicas));
}

function limitOf(store: Store): { field: string; limit: number; reserved: number } {
  if (store.kind === "redis") return { field: "maxclients", limit: store.maxclients, reserved: 0 };
  return { field: "maxConnections", limit: store.maxConnections, reserved: reservedForAdministration };
}
