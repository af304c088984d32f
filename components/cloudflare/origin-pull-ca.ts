import { readFileSync } from "node:fs";

/**
 * CA of the certificate that Cloudflare shows for all of its customers, as it publishes it
 * (developers.cloudflare.com/ssl/origin-configuration/authenticated-origin-pull/set-up/global).
 */
export function originPullCa(): string {
  return readFileSync(new URL("origin-pull-ca.pem", import.meta.url), "utf8");
}
