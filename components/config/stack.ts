import { z } from "zod";
import { imageRefPattern } from "../shared/image-ref.ts";
import { certificateSource } from "./certificate.ts";
import { cloudflare } from "./cloudflare.ts";
import { firewall } from "./firewall.ts";
import { host, jumpHost } from "./host.ts";
import { refuse, show } from "./refusals.ts";
import { edgeResources } from "./resources.ts";
import { addressRange, duration, envName, imageKey, label, oneLine, pem, rate, routePath, size } from "./scalars.ts";
import { endpoint } from "./store.ts";

/*
 * Where, how big, which version: the vocabulary of `Pulumi.<stack>.yaml`. Data only.
 * Each key below stands in the file as `berth:<key>`.
 */

export const environment = z.enum(["local", "staging", "production"]);

/** One pinned image: `repository:tag@sha256:…`. */
export const imageRef = z.string().regex(imageRefPattern, {
  error: refuse("is not an image reference", "write repository:tag@sha256:<64 hexadecimal digits>, without https://"),
});

export const override = z.strictObject({
  replicas: z.int().min(0).optional().describe("Number of tasks"),
  resources: z
    .strictObject({
      memory: size.optional().describe("Hard memory limit"),
      cpus: z.number().positive().optional().describe("CPU limit in cores"),
      reserveMemory: size.optional().describe("Memory the scheduler sets aside on the host"),
      reserveCpus: z.number().positive().optional().describe("Cores the scheduler sets aside on the host"),
    })
    .optional()
    .describe("Limits and reservations that differ from the system's"),
  env: z.record(envName, z.string()).optional().describe("Plain variables added or replaced"),
  maxConnections: z.int().min(10).optional().describe("`max_connections` of a Postgres"),
  maxmemory: size.optional().describe("`maxmemory` of a Redis"),
  maxclients: z.int().min(1).optional().describe("`maxclients` of a Redis"),
});

export const limitOverride = z.strictObject({
  rate: rate.optional().describe("Requests per client address"),
  connections: z.int().min(1).optional().describe("Requests of a client address under way at a time"),
  burst: z.int().min(0).optional().describe("Requests above the rate that are served without delay"),
});

export const maintenance = z.strictObject({
  host: z.string().min(1).describe("Host of the site; `${domain}` is replaced"),
  path: routePath.default("/").describe("Route that waits, and all below it; `/` is the whole site"),
  retryAfter: duration.default("10 minutes").describe("When visitors are told to come back"),
  message: oneLine
    .max(500, { error: refuse("is too long", "use at most 500 characters") })
    .default("We are working on this page and will be back shortly.")
    .describe("What visitors read"),
});

export const acme = z.strictObject({
  directory: z
    .url({ protocol: /^https$/, error: refuse("is not an https address", "write the directory's full address") })
    .default("https://acme-v02.api.letsencrypt.org/directory")
    .describe("ACME directory of the certificate authority"),
  email: z
    .email({ error: refuse("is not an e-mail address", "write one that is read") })
    .describe("Contact of the account; the authority writes to it"),
  agreeToTerms: z
    .literal(true, {
      error: (issue) => `is not accepted, got ${show(issue.input)}; read the authority's terms and write true`,
    })
    .describe("The authority's terms of service are accepted"),
  ca: pem.optional().describe("PEM of the CA that signed the directory's own certificate, if not a public one"),
  cloudflareApi: z
    .url({ error: refuse("is not an address", "write the API's full address") })
    .default("https://api.cloudflare.com/client/v4")
    .describe("Where challenges by DNS are put: Cloudflare's API, or a stand-in for it"),
});

export const registry = z.strictObject({
  address: z
    .string()
    .regex(/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._/-]*[a-z0-9])?$/, {
      error: refuse("is not a registry", "write host[:port][/path], without https://"),
    })
    .describe("Registry as it stands in front of image names, for example ghcr.io/acme"),
  ca: pem.optional().describe("PEM of the CA that signed the registry's certificate, if not a public one"),
});

export const swarm = z.strictObject({
  joinTokens: z
    .int()
    .min(1)
    .default(1)
    .describe("Raise it to replace the tokens by which hosts join, when somebody may have seen one"),
  autolock: z
    .boolean()
    .default(false)
    .describe(
      "Managers encrypt what they keep, and ask for `npm run berth -- unlock` after each restart; " +
        "they then do not restart by themselves for updates",
    ),
});

/** As many as nginx may have by default. */
const leastPids = 512;

/** Of all containers on all hosts: Docker's provider for Pulumi has no such field for a service. */
export const pidsLimit = z.union([z.int().min(leastPids), z.literal("none")], {
  error: refuse("is not a limit of processes", `write a number from ${leastPids} on, or none`),
});

export const dockerEngine = z.strictObject({
  source: z
    .enum(["distribution", "docker"])
    .default("distribution")
    .describe("Whose packages a host without Docker gets: the distribution's, or those of Docker's own repository"),
  version: z
    .string()
    .regex(/^\d+(\.\d+){1,3}$/, { error: refuse("is not a version", 'write it in quotes, for example "20.10.24"') })
    .optional()
    .describe(
      "Version of Docker. Another one is replaced on a host that is drained, or runs no containers; by default what the source has",
    ),
  pidsLimit: pidsLimit
    .default(4096)
    .describe(
      "Most processes and threads of each container, or `none`; holds where Docker's control groups are systemd's",
    ),
});

export const edgeHosts = z.strictObject({
  resources: edgeResources.prefault({}),
});

export const stackSchema = z.strictObject({
  system: label.describe("System that runs here: a folder under systems/"),
  environment: environment.describe("local relaxes host keys and pins; staging and production do not"),
  domain: z
    .string()
    .regex(/^([a-z0-9-]+\.)+[a-z0-9-]+$/, { error: refuse("is not a domain name", "write for example palmistry.com") })
    .describe("Domain that `${domain}` stands for in the system"),
  hosts: z.array(host).min(1).describe("Machines, by SSH address"),
  jumpHosts: z
    .record(label, jumpHost)
    .default({})
    .describe("Machines that SSH goes through on its way to hosts, by the name that the hosts' `jump` gives them"),
  volumes: z
    .record(label, label)
    .default({})
    .describe("Host that keeps each volume, by store or volume; required with several hosts. Data is not moved"),
  swarm: swarm.prefault({}).describe("The swarm that the hosts form"),
  docker: dockerEngine.prefault({}).describe("The Docker that the hosts get"),
  firewall: firewall.prefault({}).describe("What the hosts let in"),
  edge: edgeHosts
    .prefault({})
    .describe("nginx of the hosts labelled `edge`; with several systems on them, as set last"),
  registry: registry.describe("Registry that the images come from"),
  images: z.record(imageKey, imageRef).default({}).describe("Image pins by key: `repository:tag@sha256:…`"),
  services: z.record(label, override).default({}).describe("Sizes that differ from the system's, by service or store"),
  managed: z
    .record(label, endpoint)
    .default({})
    .describe("Stores that are hosted elsewhere and that somebody else runs here, by name; their URL is supplied"),
  limits: z.record(label, limitOverride).default({}).describe("Rate limits that differ from the system's, by name"),
  operators: z
    .array(addressRange)
    .default([])
    .describe("Networks whose visitors are answered on routes for operators; without one nobody is"),
  secretGenerations: z
    .record(envName, z.int().min(1))
    .default({})
    .describe("Raise the number beside a generated secret's name to rotate it"),
  acme: acme.describe("Certificate authority"),
  certificates: z
    .record(label, certificateSource)
    .default({})
    .describe("How certificates of the system are got, by name; `main` is the one for all sites"),
  cloudflare: z
    .union([cloudflare, z.literal("none")], {
      error: refuse("is not a zone", "write none, or zoneId and proxied below it"),
    })
    .describe("Cloudflare zone, or `none`"),
  encryptNetworks: z
    .boolean()
    .optional()
    .describe("Encrypt overlay traffic with IPsec; on outside the local environment by default"),
  convergenceSlack: duration
    .default("3 seconds")
    .describe("Time allowed on top of a service's own health budget before a rollout counts as failed"),
  maintenance: z
    .array(maintenance)
    .default([])
    .describe("What is answered 503 for the time being, to all but `berth:operators`"),
});

export type StackInput = z.input<typeof stackSchema>;
export type Stack = z.output<typeof stackSchema>;
export type Environment = z.output<typeof environment>;
export type Acme = z.output<typeof acme>;
export type { Cloudflare } from "./cloudflare.ts";
export type PidsLimit = z.output<typeof pidsLimit>;
export type DockerEngine = z.output<typeof dockerEngine>;
export type Registry = z.output<typeof registry>;
