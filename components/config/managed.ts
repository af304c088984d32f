import { at } from "./findings.ts";
import type { StackParts } from "./stack-rules.ts";

type Mapping = Readonly<Record<string, unknown>>;

const mapping = (value: unknown): Mapping => (typeof value === "object" && value !== null ? (value as Mapping) : {});

/**
 * The system of a stack in which somebody else runs some of its stores: those become managed ones, and the secrets with
 * their URLs, elsewhere composed, are supplied. What is no store of the system is left for a rule to refuse.
 */
export function withManaged(system: unknown, managed: StackParts["managed"]): unknown {
  const data = mapping(at(system, ["data"]));
  const here = Object.entries(managed ?? {}).filter(([name]) => name in data);
  if (here.length === 0) return system;
  const stores = here.map(([name, endpoint]) => {
    const { kind, server } = mapping(data[name]);
    return [name, { kind: "managed", server: kind === "managed" ? server : kind, ...endpoint }];
  });
  const urls = here.flatMap(([, { urlSecret }]) =>
    urlSecret === undefined ? [] : [[urlSecret, { kind: "supplied" }]],
  );
  return {
    ...mapping(system),
    data: { ...data, ...(Object.fromEntries(stores) as Mapping) },
    secrets: { ...mapping(at(system, ["secrets"])), ...(Object.fromEntries(urls) as Mapping) },
  };
}
