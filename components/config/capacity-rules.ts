import type { Finding } from "./findings.ts";
import type { StackParts } from "./stack-rules.ts";
import type { SystemParts } from "./system-rules.ts";
import type { Service, Store } from "./system.ts";

/* Do the connections that all tasks may open fit the stores? Counted for a rollout, when old and new tasks overlap. */

/** Postgres keeps these for its superuser: `superuser_reserved_connections`. */
const reservedForAdministration = 3;

export function capacityRules(stack: StackParts, system: SystemParts): Finding[] {
  return Object.entries(system.data ?? {}).flatMap(([store, spec]) => {
    const demands = Object.entries(system.services ?? {}).flatMap(([name, service]) => {
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
    return [{ path: ["data", store, field], message }];
  });
}

/** With start-first, old and new tasks run side by side. */
function tasksDuringRollout(service: Service, override: number | undefined): number {
  if (service.kind === "job") return 1;
  const replicas = override ?? service.replicas;
  if (service.rollout.order === "stop-first") return replicas;
  return replicas + (service.rollout.parallelism === 0 ? replicas : Math.min(service.rollout.parallelism, replicas));
}

function limitOf(store: Store): { field: string; limit: number; reserved: number } {
  if (store.kind === "redis") return { field: "maxclients", limit: store.maxclients, reserved: 0 };
  return { field: "maxConnections", limit: store.maxConnections, reserved: reservedForAdministration };
}
