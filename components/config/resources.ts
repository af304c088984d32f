import { z } from "zod";
import { bytes, type Size } from "../shared/size.ts";
import { refuse } from "./refusals.ts";
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

/** With less, nginx does not start on a host of two cores: each has a worker, with its table of connections. */
const leastForNginx: Size = "64 MB";

/** What nginx of an edge host may take; a change takes nothing from visitors. */
export const edgeResources = z
  .strictObject({
    memory: size
      .refine((value) => bytes(value) >= bytes(leastForNginx), {
        error: refuse("is less than nginx needs to start", `write ${leastForNginx} or more`),
      })
      .default("512 MB")
      .describe("Hard memory limit; a worker above it is killed, with its connections"),
    cpus: z
      .number()
      .min(0.1, { error: refuse("is less than nginx can serve with", "write 0.1 or more") })
      .default(2)
      .describe("CPU limit in cores; a host with fewer gives those it has"),
    pids: z
      .int()
      .min(64, { error: refuse("is fewer than the workers of some reloads", "write 64 or more") })
      .default(512)
      .describe("Limit of processes; after a reload, workers with open connections stay for an hour"),
  })
  .describe("Limits of nginx, for each of its generations");

export type EdgeResources = z.output<typeof edgeResources>;
