import { z } from "zod";

/* The secrets of a system: where each comes from. */

export const secret = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z
      .literal("generated")
      .describe("Made by berth, kept encrypted in state; its number under `berth:secretGenerations` rotates it"),
    length: z.int().min(16).max(128).default(64).describe("Number of characters"),
    characters: z
      .enum(["alphanumeric", "hex"])
      .default("alphanumeric")
      .describe("What it is drawn from: letters and digits, or hexadecimal digits, two of which are a byte"),
  }),
  z.strictObject({
    kind: z.literal("supplied").describe("Set by the operator with `pulumi config set --secret <system>:<NAME>`"),
    optional: z.boolean().default(false).describe("Without a value, services start without the file and its variable"),
  }),
  z.strictObject({
    kind: z.literal("composed").describe("Built from other secrets, for example a connection URL"),
    template: z.string().min(1).describe("Text in which `${NAME}` stands for another secret of the system"),
  }),
]);

export type SecretSpec = z.output<typeof secret>;
export type GeneratedSecret = Extract<SecretSpec, { kind: "generated" }>;
