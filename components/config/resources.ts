import { z } from "zod";
import { size } from "./scalars.ts";

export const resources = z
  .strictObject({
    memory: size.describe("Hard memory limit; a container above it is killed"),
    cpus: z.number().positive().default(1).describe("CPU limit in cores"),
    reserveMemory: size.optional().describe("Memory the scheduler sets aside on the host; nothing by default"),
    reserveCpus: z
      .number()
      .positive()
      .optional()
      .describe("Cores the scheduler sets aside on the host; none by default"),
  })
  .describe("Limits and reservations; `memory` is required");

export type Resources = z.output<typeof resources>;
