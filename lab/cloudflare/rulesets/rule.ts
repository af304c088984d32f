import { z } from "zod";
import { hexId, text } from "../schema.ts";
import { actionName } from "./parameters.ts";

/** A rule as a body has it; what its action takes is looked at apart. */
export const rule = z.strictObject({
  id: hexId.optional(),
  /** Kept by clients that send back what they were answered. */
  version: z.string().optional(),
  last_updated: z.string().optional(),
  ref: text.optional(),
  action: actionName,
  action_parameters: z.record(z.string(), z.unknown()).optional(),
  description: z.string().default(""),
  enabled: z.boolean().default(true),
  expression: z.string(),
  logging: z.strictObject({ enabled: z.boolean() }).optional(),
  ratelimit: z
    .strictObject({
      characteristics: z.array(text).min(1),
      period: z.int(),
      requests_per_period: z.int().min(1).optional(),
      mitigation_timeout: z.int().optional(),
      counting_expression: z.string().optional(),
      requests_to_origin: z.boolean().default(false),
    })
    .optional(),
});
export type Rule = z.output<typeof rule>;
