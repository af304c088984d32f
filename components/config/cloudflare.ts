import { z } from "zod";
import { plans } from "./cloudflare-plans.ts";
import { originPulls } from "./origin-pulls.ts";
import { refuse } from "./refusals.ts";
import { absolutePath, addressRange, duration, headerName, label, oneLine } from "./scalars.ts";

/* What a stack has of Cloudflare: one zone, or nothing. What is static, limited or for operators the system says. */

const id = (what: string): z.ZodString =>
  z.string().regex(/^[0-9a-f]{32}$/, {
    error: refuse(`is not ${what}`, "copy its 32 hexadecimal digits from the zone's overview page"),
  });
const domainName = z.string().regex(/^(\*\.)?([a-z0-9_-]+\.)+[a-z0-9-]+$/, {
  error: refuse("is not a domain name", "write it in full and in lower case, for example www.palmistry.com"),
});
const recordName = z.string().regex(/^(\*\.)?([a-z0-9_-]+\.)*(\$\{domain\}|([a-z0-9_-]+\.)[a-z0-9-]+)$/, {
  error: refuse("is not a full name", "write for example www.${domain}, or ${domain} itself"),
});
const ttl = z
  .int()
  .min(60)
  .max(86_400)
  .default(300)
  .describe("Seconds that resolvers may keep an unproxied record; 60 to 86400");
const common = { name: recordName.describe("Full name; `${domain}` stands for the stack's domain") };
const proxied = z.boolean().default(false).describe("Visitors reach Cloudflare instead of what it names");

export const record = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("CNAME").describe("Kind of record"),
    ...common,
    target: recordName.describe("Name it leads to"),
    proxied,
    ttl,
  }),
  z.strictObject({
    type: z.literal("TXT").describe("Kind of record"),
    ...common,
    text: oneLine.describe("Text, without quotes around it"),
    ttl,
  }),
  z.strictObject({
    type: z.literal("MX").describe("Kind of record"),
    ...common,
    server: recordName.describe("Name of the mail server"),
    priority: z.int().min(0).max(65_535).describe("Lower ones are tried first"),
    ttl,
  }),
  z.strictObject({
    type: z.literal("CAA").describe("Kind of record"),
    ...common,
    tag: z.enum(["issue", "issuewild", "iodef"]).default("issue").describe("What is allowed, or where to report"),
    value: oneLine.describe("Authority that may issue certificates, for example letsencrypt.org"),
    ttl,
  }),
]);

const onOff = z.enum(["on", "off"]);
/** Keys are Cloudflare's own, in camel case. Brotli is not among them: Cloudflare has it on everywhere. */
export const settings = z.strictObject({
  ssl: z.enum(["full", "strict"]).default("strict").describe("strict asks hosts for a valid certificate"),
  minTlsVersion: z.enum(["1.2", "1.3"]).default("1.2").describe("Oldest TLS of visitors"),
  tls13: onOff.default("on").describe("TLS 1.3"),
  http3: onOff.default("on").describe("HTTP/3"),
  zeroRtt: onOff.default("off").describe("Requests in the first packet, which others may replay"),
  alwaysUseHttps: onOff.default("on").describe("Redirect http to https"),
  automaticHttpsRewrites: onOff.default("on").describe("Rewrite http links to hosts that have https"),
  websockets: onOff.default("on").describe("WebSockets"),
  browserCacheTtl: z
    .int()
    .min(0)
    .default(0)
    .describe("Seconds that browsers keep what is cached; 0 leaves that to the edge's headers"),
});

export const rule = z.strictObject({
  action: z
    .enum(["block", "managed_challenge", "js_challenge", "log"])
    .describe("What happens to a request that all of the rule holds for"),
  countries: z
    .array(z.string().regex(/^[A-Z][A-Z0-9]$/, { error: refuse("is not a country", "write its two letters, DE") }))
    .min(1)
    .optional()
    .describe("From these countries, by ISO 3166 code; T1 is Tor"),
  exceptCountries: z
    .array(z.string().regex(/^[A-Z][A-Z0-9]$/, { error: refuse("is not a country", "write its two letters, DE") }))
    .min(1)
    .optional()
    .describe("From all countries but these"),
  userAgents: z.array(oneLine.min(1)).min(1).optional().describe("User agents that contain one of these, in any case"),
  exceptVerifiedBots: z.boolean().default(false).describe("Not for bots that Cloudflare knows, such as search engines"),
  exceptAddresses: z.array(addressRange).default([]).describe("Not from these networks"),
  paths: z.array(absolutePath).min(1).optional().describe("To these path prefixes"),
  expression: oneLine.min(1).optional().describe("Further condition in Cloudflare's rules language"),
});

export const firewallRules = z.strictObject({
  managed: z
    .array(z.enum(["free", "cloudflare", "owasp"]))
    .default([])
    .describe("Rulesets that Cloudflare maintains; the free one is on without being named"),
  rules: z.record(label, rule).default({}).describe("Rules of one's own by name, in their order"),
});

export const rateLimit = z.strictObject({
  requests: z.int().min(1).describe("Requests of one address to one of Cloudflare's data centers in a period"),
  period: duration.describe("Length that is counted over"),
  block: duration.describe("How long an address with more requests is refused"),
});

export const cache = z.strictObject({
  tiered: z.boolean().default(true).describe("Data centers ask each other before the hosts (smart tiered cache)"),
  edgeTtl: duration
    .optional()
    .describe("How long Cloudflare keeps static files, whatever browsers are told; by default as those"),
});

export const access = z.strictObject({
  emails: z.array(z.email()).default([]).describe("People who get in after they have shown that this is their address"),
  emailDomains: z.array(domainName).default([]).describe("Domains of which everybody gets in"),
  session: duration.default("12 hours").describe("How long a login lasts"),
});

export const loadBalancer = z.strictObject({
  path: absolutePath
    .default("/")
    .describe("What Cloudflare asks each edge host for, by https and the first site's name"),
  expect: z
    .string()
    .regex(/^([1-5]\d\d|[1-5]xx)(,([1-5]\d\d|[1-5]xx))*$/, {
      error: refuse("is not a list of statuses", "write for example 200, or 2xx,301"),
    })
    .default("2xx")
    .describe("Statuses of a host that is well"),
  interval: duration.default("1 minute").describe("How often it is asked"),
});

export const cloudflare = z.strictObject({
  zoneId: id("a zone id").describe("Zone in which the DNS records are kept"),
  zone: domainName.optional().describe("Name of the zone; the stack's domain by default"),
  accountId: id("an account id").optional().describe("Account of the zone; needed for `access` and `loadBalancer`"),
  plan: z.enum(plans).default("free").describe("Plan of the zone: what it does not allow is refused"),
  proxied: z.boolean().default(false).describe("Visitors reach Cloudflare's addresses instead of the hosts'"),
  manages: z
    .enum(["zone", "records"])
    .default("zone")
    .describe("records: another stack has the settings and rules of this zone. They are only set where it is proxied"),
  records: z.array(record).default([]).describe("Further records; those of the sites are made without being listed"),
  settings: settings.prefault({}).describe("Settings of a proxied zone"),
  firewall: firewallRules.prefault({}).describe("Web application firewall"),
  rateLimits: z
    .record(label, rateLimit)
    .default({})
    .describe("Limits of the system over longer times than the edge's, by the limit's name"),
  cache: cache.prefault({}).describe("Caching of what the system's routes call static"),
  headers: z.record(headerName, oneLine).default({}).describe("Response headers that the edge does not send itself"),
  access: access.optional().describe("A login by Cloudflare Access before routes for operators"),
  originPulls: originPulls
    .optional()
    .describe("A client certificate by which Cloudflare shows to the edge that it is Cloudflare; none by default"),
  loadBalancer: loadBalancer
    .optional()
    .describe("Cloudflare sends visitors to those edge hosts that are well; a paid addition to any plan"),
  adopt: z
    .record(z.string(), oneLine)
    .default({})
    .describe("Import ids of what exists already, by the name that `pulumi preview` shows; see docs/cloudflare.md"),
});

export type Cloudflare = z.output<typeof cloudflare>;
export type ZoneRecord = z.output<typeof record>;
export type FirewallRule = z.output<typeof rule>;
