import { z } from "zod";
import type { Finding } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { refuse } from "./refusals.ts";
import { whole } from "./scalars.ts";
import type { Cloudflare } from "./stack.ts";

/** A network as `address/length`, IPv4 or IPv6. */
const network = whole(
  z.union([z.cidrv4(), z.cidrv6()], {
    error: refuse("is not a network", "write an address and a length, for example 198.18.0.0/24 or 2001:db8::/32"),
  }),
);

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
  http3: z
    .boolean()
    .default(false)
    .describe("HTTP/3 as well, over UDP port 443 of edge hosts; a reload of nginx ends its connections"),
});

export type Firewall = z.output<typeof firewall>;

export function firewallRules(
  given: Parts<Firewall> | undefined,
  cloudflare: Parts<Cloudflare> | "none" | undefined,
): Finding[] {
  const proxied = cloudflare !== undefined && cloudflare !== "none" && cloudflare.proxied === true;
  return [
    ...(given?.web === "cloudflare" && cloudflare !== undefined && !proxied
      ? [
          {
            path: ["firewall", "web"],
            message:
              'lets nobody in, since visitors do not come through Cloudflare, got "cloudflare"; write any, or proxied: true below cloudflare',
          },
        ]
      : []),
    ...(given?.http3 === true && proxied
      ? [
          {
            path: ["firewall", "http3"],
            message:
              "is for visitors who reach the hosts themselves, got true; write false: Cloudflare has its own, " +
              "cloudflare.settings.http3, and asks the hosts over TCP",
          },
        ]
      : []),
  ];
}
