import { z } from "zod";
import type { Finding } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { refuse } from "./refusals.ts";
import type { Cloudflare } from "./stack.ts";

/** A network as `address/length`, IPv4 or IPv6. */
const network = z.union([z.cidrv4(), z.cidrv6()], {
  error: refuse("is not a network", "write an address and a length, for example 198.18.0.0/24 or 2001:db8::/32"),
});

/** What the hosts let in. Everything else is closed, also what a container publishes. */
export const firewall = z.strictObject({
  ssh: z
    .array(network)
    .min(1)
    .default(["0.0.0.0/0", "::/0"])
    .describe("Networks from which SSH is let in; where Pulumi runs must be in one of them"),
  web: z
    .enum(["any", "cloudflare"])
    .default("any")
    .describe("Who reaches ports 80 and 443 of edge hosts: anyone, or Cloudflare's ranges alone"),
});

export type Firewall = z.output<typeof firewall>;

export function firewallRules(
  given: Parts<Firewall> | undefined,
  cloudflare: Parts<Cloudflare> | "none" | undefined,
): Finding[] {
  if (given?.web !== "cloudflare" || cloudflare === undefined) return [];
  if (cloudflare !== "none" && cloudflare.proxied === true) return [];
  const message =
    'lets nobody in, since visitors do not come through Cloudflare, got "cloudflare"; write any, or proxied: true below cloudflare';
  return [{ path: ["firewall", "web"], message }];
}
