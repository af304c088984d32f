import { isEnding } from "../config/service.ts";
import { connectable, poolerName } from "../config/store-rules.ts";
import type { System } from "../config/system.ts";
import type { RolloutPlan } from "../service/rollouts.ts";
import { physicalName } from "../shared/naming.ts";
import { dependenciesAmong } from "./order.ts";

/** The rollouts of a system: of everything but what ends, is started by the clock or runs elsewhere. */
export function rolloutPlan({ name: system, services, data }: System): RolloutPlan {
  const dependsOn: Record<string, string[]> = {};
  for (const [name, { dependsOn: before }] of Object.entries(services)) dependsOn[name] = connectable(data, before);
  const stores = connectable(
    data,
    Object.keys(data).filter((name) => data[name]?.kind !== "managed"),
  );
  // A pooler comes after its store, and a store is ready when its pooler is.
  for (const name of stores) if (stores.includes(poolerName(name))) dependsOn[poolerName(name)] = [name];

  const running = Object.entries(services).flatMap(([name, service]) => (isEnding(service) ? [] : [name]));
  const plan = Object.entries(dependenciesAmong(new Set([...stores, ...running]), dependsOn));
  const physical = (name: string): string => physicalName(system, name);
  return Object.fromEntries(plan.map(([name, before]) => [physical(name), before.map(physical)]));
}
