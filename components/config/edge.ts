import { z } from "zod";
import type { Duration } from "../shared/duration.ts";
import { certificate } from "./certificate.ts";
import { refuse } from "./refusals.ts";
import { duration, headerName, imageKey, label, oneLine, rate, routePath, size } from "./scalars.ts";
import { security } from "./security.ts";
import { errorPages } from "./error-page.ts";
import { tls } from "./tls.ts";

/* What of a system is reachable from outside. */

export const route = z.strictObject({
  path: routePath.describe("Path prefix; the longest matching prefix wins"),
  service: label.describe("Web service that answers"),
  stripPrefix: z.boolean().default(false).describe("Remove the prefix before the request is passed on"),
  websocket: z.boolean().default(false).describe("Pass the upgrade headers; the read timeout becomes one hour"),
  bodySize: size.default("1 MB").describe("Largest request body; larger ones are answered 413"),
  timeout: duration.default("30 seconds").describe("Longest wait for connecting, sending and reading, each"),
  connectTimeout: duration.optional().describe("Longest wait for connecting, if it differs from `timeout`"),
  buffering: z.boolean().default(true).describe("Off for streams of events, which are passed on as they come"),
  limit: label.optional().describe("Limit applied, by its name under `limits`"),
  cache: z
    .enum(["application", "hashed", "revalidate", "private"])
    .default("application")
    .describe(
      "Cache-Control of answers: what the application says; a year, for files whose names change with their content; " +
        "asked for anew each time, for pages and service workers; kept by nobody",
    ),
  access: z
    .enum(["public", "operators"])
    .default("public")
    .describe("Who is answered; others than `berth:operators` of the stack get 403 from a route for operators"),
  accessLog: z.boolean().default(true).describe("Write requests to the access log"),
  errorPages: errorPages
    .optional()
    .describe("Error pages of this route, by status; for others it has those of the site"),
  interceptErrors: z
    .boolean()
    .default(false)
    .describe("Show the error pages in the place of what the application answers with such a status as well"),
});

export const redirect = z.strictObject({
  path: routePath.default("/").describe("Path prefix that is redirected; the longest matching prefix wins"),
  to: z
    .string()
    .regex(/^(https:\/\/[A-Za-z0-9.${}-]+(:\d+)?)?(\/[A-Za-z0-9/._~%@+-]*)?$/, {
      error: refuse("is not a target", "write a path, /new, or an address, https://${domain}/new, without a query"),
    })
    .min(1)
    .describe("Path on this host, or address on another; `${domain}` is replaced"),
  status: z
    .union([z.literal(301), z.literal(302), z.literal(307), z.literal(308)], {
      error: refuse("is not a redirect", "write 301, 302, 307 or 308"),
    })
    .default(301)
    .describe("301 and 308 are kept by browsers; 307 and 308 repeat the request with its method"),
  keep: z.boolean().default(true).describe("Append what follows the prefix, and the query, to the target"),
});

export const cors = z.strictObject({
  origins: z
    .array(
      z.string().regex(/^https?:\/\/[a-z0-9.${}-]+(:\d{1,5})?$/, {
        error: refuse("is not an origin", "write scheme and host without a path, https://app.${domain}"),
      }),
    )
    .describe(
      "Origins whose pages may read answers; `${domain}` is replaced. No others may, whatever applications say",
    ),
  credentials: z.boolean().default(false).describe("With cookies"),
  methods: z
    .array(z.string().regex(/^[A-Z]+$/, { error: refuse("is not a method", "write for example GET") }))
    .default(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    .describe("Methods they may use"),
  headers: z.array(headerName).default(["Authorization", "Content-Type"]).describe("Request headers they may set"),
  age: duration.default("10 minutes").describe("How long browsers remember it"),
});

export const site = z.strictObject({
  host: z.string().min(1).describe("Host name, unique among the sites; `${domain}` stands for the stack's domain"),
  security: security.prefault({}).describe("What browsers are told to allow, with every answer, errors included"),
  headers: z
    .record(headerName, oneLine)
    .default({})
    .describe("Further response headers of every answer, errors included; `${domain}` is replaced"),
  cors: cors.optional().describe("Who else's pages may call this host; without it that is the applications' to say"),
  errorPages: errorPages
    .default({})
    .describe("What visitors read when the edge itself answers with an error, by status; else nginx's own words"),
  redirects: z.array(redirect).default([]).describe("What is found elsewhere"),
  routes: z.array(route).default([]).describe("What is served where"),
});

export const edge = z.strictObject({
  image: imageKey.default("edge").describe("Key of the nginx image under `berth:images`"),
  network: label.default("edge").describe("Network tier on which the edge reaches the web services"),
  limits: z
    .record(
      label,
      z.strictObject({
        rate: rate.optional().describe("Requests per client address"),
        connections: z.int().min(1).optional().describe("Requests of a client address under way at a time"),
        burst: z.int().min(0).default(0).describe("Requests above the rate that are served without delay"),
      }),
    )
    .default({})
    .describe("Named limits, keyed by client address; above them the answer is 429, with Retry-After"),
  tls: tls.prefault({}).describe("Versions and suites of TLS, for all sites"),
  sites: z.array(site).min(1).describe("Virtual hosts"),
  certificates: z
    .record(label, certificate)
    .prefault({ main: {} })
    .describe("Certificates by name; one for all sites by default"),
});

export type Edge = z.output<typeof edge>;
export type Site = Omit<z.output<typeof site>, "routes"> & { readonly routes: readonly Route[] };
export type Cors = z.output<typeof cors>;
export type Redirect = z.output<typeof redirect>;
export type Route = z.output<typeof route> & { readonly maintenance?: Maintenance };

/** A route whose visitors wait: what they are told. Switched in the stack file. */
export interface Maintenance {
  readonly retryAfter: Duration;
  readonly message: string;
}
