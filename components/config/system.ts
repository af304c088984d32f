import { z } from "zod";
import { edge } from "./edge.ts";
import { label, secretName } from "./scalars.ts";
import { secret } from "./secret.ts";
import { service } from "./service.ts";
import { store } from "./store.ts";

/*
 * What runs: the vocabulary of `systems/<name>/system.ts`. The same for every environment.
 * Types are inferred from these schemas; docs/configuration.md is generated from their descriptions and defaults.
 */

export const network = z.strictObject({
  internal: z.boolean().default(false).describe("No way out of this tier: for stores"),
});

/** `systems/<name>/system.ts`: what runs, the same for every environment. */
export const systemSchema = z.strictObject({
  name: label.describe("Name of the system; prefixes everything it creates"),
  networks: z.record(label, network).describe("Overlay networks by tier"),
  services: z.record(label, service).describe("What runs"),
  data: z.record(label, store).default({}).describe("Stores"),
  secrets: z.record(secretName, secret).default({}).describe("Secrets by name"),
  edge: edge.describe("What is reachable from outside"),
});

/** What a system file exports; parts of it may be constants that several services share. */
export type SystemInput = Frozen<z.input<typeof systemSchema>>;
export type System = z.output<typeof systemSchema>;

/** Declares a system with full type checking; validation happens when a stack loads it. */
export function defineSystem(system: SystemInput): SystemInput {
  return system;
}

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Frozen<T[Key]> }
    : T;
