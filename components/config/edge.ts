import { z } from "zod";
import { certificate } from "./certificate.ts";
import { absolutePath, duration, headerName, imageKey, label, oneLine, rate, size } from "./scalars.ts";

/* What of a system is reachable from outside. */

export const route = z.strictObject({
  path: absolutePath.describe("Path prefix; the longest matching prefix wins"),
  service: label.describe("Web service that answers"),
  stripPrefix: z.boolean().default(false).describe("Remove the prefix before the request is passed on"),
  websocket: z.boolean().default(false).describe("Pass the upgrade headers; the read timeout becomes one hour"),
  bodySize: size.default("1 MB").describe("Largest request body; larger ones are answered 413"),
  timeout: duration.default("30 seconds").describe("Longest wait for connecting, sending and reading, each"),
  connectTimeout: duration.optional().describe("Longest wait for connecting, if it differs from `timeout`"),
  limit: label.optional().describe("Rate limit applied, by its name under `limits`"),
  access: z
    .enum(["public", "operators"])
    .default("public")
    .describe("Who is answered; others than `berth:operators` of the stack get 403 from a route for operators"),
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
  certificates: z
    .record(label, certificate)
    .prefault({ main: {} })
    .describe("Certificates by name; one for all sites by default"),
});

export type Edge = z.output<typeof edge>;
export type Site = z.output<typeof site>;
export type Route = z.output<typeof route>;
