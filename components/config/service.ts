import { z } from "zod";
import { resources } from "./resources.ts";
import {
  absolutePath,
  cronTimes,
  duration,
  envName,
  imageKey,
  label,
  numericUser,
  port,
  size,
  timeZone,
} from "./scalars.ts";

/* The services of a system: what runs, and how it is watched, replaced and confined. */

/** How a container is asked whether it works. Every service has one. */
export const healthCheck = z
  .strictObject({
    command: z
      .array(z.string())
      .min(1)
      .optional()
      .describe("Command run inside the container, as an argument list; exit code 0 is healthy"),
    path: absolutePath.optional().describe("HTTP path asked from inside the container, with the image's `wget`"),
    port: port.optional().describe("Port that `path` is asked on; a web service's own by default"),
    startInterval: duration
      .default("2 seconds")
      .describe("Time between two checks of a starting container, or after one that failed; part of every rollout"),
    interval: duration
      .default("10 seconds")
      .describe("Time between two checks once it has started; a `command` is run every `startInterval` all along"),
    timeout: duration.default("2 seconds").describe("A check that takes longer has failed"),
    retries: z
      .int()
      .min(1)
      .default(3)
      .describe("Failures in a row before a container is unhealthy; after it has worked, each takes another `timeout`"),
    startPeriod: duration.default("5 seconds").describe("Grace for a starting container: failures do not count yet"),
  })
  .describe("How a container is asked whether it works: `path` or `command`");

export const rollout = z.strictObject({
  order: z
    .enum(["start-first", "stop-first"])
    .default("start-first")
    .describe("start-first keeps the old task until the new one is healthy; stop-first is for what must not run twice"),
  parallelism: z.int().min(0).default(0).describe("Tasks replaced at a time; 0 is all of them at once"),
  monitor: duration
    .default("2 seconds")
    .describe("How long a new task is watched after it became healthy; a failure within it rolls back"),
});

/** What Docker takes as a config: older engines half of what newer ones do. */
const maxFileBytes = 500 * 1024;
const fileText = z
  .string()
  .min(1)
  .refine((text) => Buffer.byteLength(text) <= maxFileBytes, {
    error: "is larger than 500 KB, which is all that Docker takes; put it into the image or on a volume",
  });

const serviceFields = {
  image: imageKey,
  command: z.array(z.string()).optional().describe("Replaces the image's command, as an argument list"),
  env: z.record(envName, z.string()).default({}).describe("Plain environment variables; `${domain}` is replaced"),
  secrets: z
    .array(envName)
    .default([])
    .describe("Secrets mounted as /run/secrets/NAME, with NAME_FILE naming the file in the environment"),
  networks: z.array(label).min(1).describe("Network tiers the service joins"),
  resources,
  user: numericUser.default("1000:1000").describe("User and group the container runs as, numeric"),
  readOnly: z.boolean().default(true).describe("Root file system is read-only; /tmp is a small tmpfs"),
  dependsOn: z
    .array(label)
    .default([])
    .describe("Services, stores and jobs that are healthy or done before this starts"),
  connections: z
    .record(label, z.int().min(1))
    .default({})
    .describe("Most connections that one task opens, by store; a stack in which they do not fit the store is refused"),
};
const runningFields = {
  ...serviceFields,
  secretsAsEnv: z
    .array(envName)
    .default([])
    .describe("Secrets handed over as plain environment variables, for applications that cannot read files"),
  replicas: z.int().min(0).default(1).describe("Number of tasks; the stack file may override it"),
  health: healthCheck,
  rollout: rollout.prefault({}).describe("How tasks are replaced"),
  stopGracePeriod: duration
    .default("30 seconds")
    .describe("Time between SIGTERM and SIGKILL: what an application has to drain its connections"),
  volumes: z
    .record(label, absolutePath)
    .default({})
    .describe("Named volumes by the path they are mounted at; a volume binds the service to one host"),
  tmpfs: z
    .record(absolutePath, size)
    .default({})
    .describe("Writable directories in memory besides /tmp, by path, with their sizes; they count as memory"),
  files: z
    .record(absolutePath, fileText)
    .default({})
    .describe("Configuration files by path, as text, readable by everyone in the container; `${domain}` is replaced"),
  capabilities: z
    .array(z.enum(["CHOWN", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE", "SETGID", "SETUID"]))
    .default([])
    .describe("Linux capabilities that are kept; all others are dropped"),
};

export const service = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("web").describe("Answers HTTP on a port; the edge can route to it"),
    port: port.describe("Port the application listens on"),
    balance: z
      .enum(["least-connections", "round-robin", "cookie"])
      .default("least-connections")
      .describe(
        "How the edge chooses a task: `cookie` is by connections as well, and then keeps a visitor on the task while it " +
          "is there",
      ),
    ...runningFields,
  }),
  z.strictObject({ kind: z.literal("worker").describe("Runs without a port"), ...runningFields }),
  z.strictObject({
    kind: z.literal("job").describe("Runs once per image to its end, before the services that depend on it"),
    timeout: duration.default("5 minutes").describe("A job that takes longer has failed"),
    ...serviceFields,
  }),
  z.strictObject({
    kind: z
      .literal("schedule")
      .describe("Runs at set times to its end, one run at a time on the whole swarm; nothing may depend on it"),
    cron: cronTimes.describe(
      'When it runs: minute, hour, day of month, month and day of week, for example "30 3 * * sun"; with both days given, ' +
        "either will do",
    ),
    timeZone: timeZone
      .default("UTC")
      .describe("Where `cron` is read; a time that the change of clocks leaves out is skipped"),
    timeout: duration.describe("A run that takes longer has failed, and is ended"),
    ...serviceFields,
  }),
]);

export type Service = z.output<typeof service>;
/** What runs to its end, and has no replicas, health checks or volumes. */
export type EndingService = Extract<Service, { kind: "job" | "schedule" }>;
export type RunningService = Exclude<Service, EndingService>;
export type WebService = Extract<Service, { kind: "web" }>;
export type JobService = Extract<Service, { kind: "job" }>;
export type ScheduleService = Extract<Service, { kind: "schedule" }>;
export type HealthCheck = z.output<typeof healthCheck>;
export type Rollout = z.output<typeof rollout>;

export function isEnding<S extends { readonly kind: Service["kind"] }>(
  service: S,
): service is Extract<S, { readonly kind: "job" | "schedule" }> {
  return service.kind === "job" || service.kind === "schedule";
}
