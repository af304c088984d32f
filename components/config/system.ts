import { z } from "zod";
import { edge } from "./edge.ts";
import { label, secretName, size } from "./scalars.ts";
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

const machine = z.strictObject({
  memory: size.default("1 GB").describe("Least memory"),
  cpus: z.number().positive().default(1).describe("Fewest cores"),
  disk: size.default("10 GB").describe("Least size of its disks"),
});

/** `systems/<name>/system.ts`: what runs, the same for every environment. */
export const systemSchema = z.strictObject({
  name: label.describe("Name of the system; prefixes everything it creates"),
  machine: machine
    .prefault({})
    .describe(
      "Least that each host has, asked of the machines themselves; 15 % less is taken for it, and in the local environment anything",
    ),
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
