import { labAccount } from "../../lab/cloudflare/store.ts";
import { sampleHostKey } from "./sample-config.ts";
import type { Mapping } from "./systems.ts";

/* What a team may write in its stack file that uses everything berth has at Cloudflare. */

export const stackHost = (name: string, last: number, more: Mapping = {}): Mapping => ({
  name,
  address: `198.18.0.${last}`,
  privateAddress: `10.0.0.${last}`,
  hostKey: sampleHostKey,
  memory: "8 GB",
  cpus: 4,
  labels: { edge: "true" },
  ...more,
});

/** Changes to the stack file of fitness-crm in production; those to its Cloudflare part and others may differ. */
export function stackFile(zoneId: string, changes: Mapping = {}, top: Mapping = {}): Mapping {
  return {
    "berth:domain": "palmistry.test",
    "berth:volumes": { postgres: "vm-1", sessions: "vm-1", cache: "vm-1" },
    "berth:hosts": [stackHost("vm-1", 1, { publicAddress6: "2001:db8::1" }), stackHost("vm-2", 2, { role: "worker" })],
    "berth:cloudflare": {
      zoneId,
      accountId: labAccount.id,
      plan: "pro",
      proxied: true,
      records: [
        { type: "CNAME", name: "www.${domain}", target: "${domain}", proxied: true },
        { type: "TXT", name: "${domain}", text: "v=spf1 -all", ttl: 3600 },
        { type: "MX", name: "${domain}", server: "mail.palmistry.test", priority: 10 },
        { type: "CAA", name: "${domain}", value: "letsencrypt.org" },
      ],
      firewall: {
        managed: ["cloudflare", "owasp"],
        rules: {
          scanners: { action: "block", userAgents: ["sqlmap", "nikto"], exceptVerifiedBots: true },
          countries: { action: "managed_challenge", exceptCountries: ["DE", "AT"], paths: ["/api/auth"] },
        },
      },
      rateLimits: {
        api: { requests: 1500, period: "1 minute", block: "1 minute" },
        login: { requests: 20, period: "1 minute", block: "1 hour" },
      },
      cache: { edgeTtl: "24 hours" },
      headers: { "X-Robots-Tag": "noindex" },
      access: { emailDomains: ["palmistry.test"] },
      loadBalancer: { path: "/api/health", expect: "200", interval: "30 seconds" },
      ...changes,
    },
    ...top,
  };
}
