import { z } from "zod";
import { resources } from "./resources.ts";
import {
  absolutePath,
  duration,
  envName,
  headerName,
  imageKey,
  label,
  numericUser,
  oneLine,
  port,
  rate,
  size,
} from "./scalars.ts";
import { store } from "./store.ts";

/*
 * What runs: the vocabulary of `systems/<name>/system.ts`. The same for every environment.
 * Types are inferred from these schemas; docs/configuration.md is generated from their descriptions and defaults.
 */

/** How a container is asked whether it works. Every service has one. */
export const healthCheck = z
  .strictObject({
    command: z
      .array(z.string())
      .min(1)
      .optional()
      .describe("Command run inside the container, as an argument list; exit code 0 is healthy"),
    path: absolutePath
      .optional()
      .describe("HTTP path asked on the service's port from inside the container, with the image's `wget`"),
    interval: duration.default("2 seconds").describe("Time between two checks"),
    timeout: duration.default("2 seconds").describe("A check that takes longer has failed"),
    retries: z.int().min(1).default(3).describe("Failures in a row before a container is unhealthy"),
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
};

export const service = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("web").describe("Answers HTTP on a port; the edge can route to it"),
    port: port.describe("Port the application listens on"),
    ...runningFields,
  }),
  z.strictObject({ kind: z.literal("worker").describe("Runs without a port"), ...runningFields }),
  z.strictObject({
    kind: z.literal("job").describe("Runs once per image to its end, before the services that depend on it"),
    timeout: duration.default("5 minutes").describe("A job that takes longer has failed"),
    ...serviceFields,
  }),
]);

export const secret = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z
      .literal("generated")
      .describe("Made by berth, kept encrypted in state; its number under `berth:secretGenerations` rotates it"),
    length: z.int().min(16).max(128).default(64).describe("Number of letters and digits"),
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

export const route = z.strictObject({
  path: absolutePath.describe("Path prefix; the longest matching prefix wins"),
  service: label.describe("Web service that answers"),
  stripPrefix: z.boolean().default(false).describe("Remove the prefix before the request is passed on"),
  websocket: z.boolean().default(false).describe("Pass the upgrade headers; the read timeout becomes one hour"),
  bodySize: size.default("1 MB").describe("Largest request body; larger ones are answered 413"),
  timeout: duration.default("30 seconds").describe("Longest wait for connecting, sending and reading, each"),
  limit: label.optional().describe("Rate limit applied, by its name under `limits`"),
  accessLog: z.boolean().default(true).describe("Write requests to the access log"),
});

export const site = z.strictObject({
  host: z.string().min(1).describe("Host name, unique among the sites; `${domain}` stands for the stack's domain"),
  headers: z
    .record(headerName, oneLine)
    .default({})
    .describe("Response headers added to every answer, errors included; `${domain}` is replaced"),
  routes: z.array(route).min(1).describe("What is served where"),
});

export const edge = z.strictObject({
  image: imageKey.default("edge").describe("Key of the nginx image under `berth:images`"),
  network: label.default("edge").describe("Network tier on which the edge reaches the web services"),
  limits: z
    .record(
      label,
      z.strictObject({
        rate: rate.describe("Requests per client address"),
        burst: z.int().min(0).default(0).describe("Requests above the rate that are served without delay"),
      }),
    )
    .default({})
    .describe("Named rate limits, keyed by client address; above them the answer is 429"),
  sites: z.array(site).min(1).describe("Virtual hosts"),
});

export const network = z.strictObject({
  internal: z.boolean().default(false).describe("No way out of this tier: for stores"),
});

/** `systems/<name>/system.ts`: what runs, the same for every environment. */
export const systemSchema = z.strictObject({
  name: label.describe("Name of the system; prefixes everything it creates"),
  networks: z.record(label, network).describe("Overlay networks by tier"),
  services: z.record(label, service).describe("What runs"),
  data: z.record(label, store).default({}).describe("Stores"),
  secrets: z.record(envName, secret).default({}).describe("Secrets by name"),
  edge: edge.describe("What is reachable from outside"),
});

export type SystemInput = z.input<typeof systemSchema>;
export type System = z.output<typeof systemSchema>;
export type Service = z.output<typeof service>;
export type RunningService = Exclude<Service, { kind: "job" }>;
export type WebService = Extract<Service, { kind: "web" }>;
export type JobService = Extract<Service, { kind: "job" }>;
export type SecretSpec = z.output<typeof secret>;
export type HealthCheck = z.output<typeof healthCheck>;
export type Rollout = z.output<typeof rollout>;
export type Edge = z.output<typeof edge>;
export type Site = z.output<typeof site>;
export type Route = z.output<typeof route>;

/** Declares a system with full type checking; validation happens when a stack loads it. */
export function defineSystem(system: SystemInput): SystemInput {
  return system;
}
