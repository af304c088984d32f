import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../config/load.ts";
import { cloudflare } from "../shared/providers.ts";
import { adopted } from "./adopted.ts";
import { explainer } from "./explainer.ts";

export interface OriginPullsArgs {
  readonly config: Pick<Config, "cloudflare" | "originPullKey">;
}

/**
 * Lets Cloudflare show a client certificate to the edge hosts: its own, or one that the stack file has.
 *
 * @example
 * new OriginPulls("origin-pulls", { config });
 *
 * Creates: with Cloudflare's own certificate a `cloudflare.ZoneSetting`; with another one
 * `AuthenticatedOriginPullsCertificate` and `AuthenticatedOriginPullsSettings`; nothing without
 * `berth:cloudflare.originPulls`, or where another stack manages the zone.
 * Stateful: no; Cloudflare goes on to show its certificate when this, or the stack, goes, which harms nobody.
 */
export class OriginPulls extends pulumi.ComponentResource {
  /** What must be there before nginx demands the certificate. */
  readonly presented: pulumi.Resource[];

  constructor(name: string, args: OriginPullsArgs, opts?: pulumi.ComponentResourceOptions) {
    const { cloudflare: zone, originPullKey } = args.config;
    super("berth:cloudflare:OriginPulls", name, {}, opts);

    const refusals = explainer();
    const pulls = zone === "none" ? undefined : zone.originPulls;
    this.presented = [];
    if (zone !== "none" && pulls && zone.manages === "zone") {
      const { zoneId } = zone;
      if (pulls.certificate === undefined) {
        const own = `${name}-tls_client_auth`;
        const inputs = { zoneId, settingId: "tls_client_auth", value: "on" };
        const at = { zone, parent: this, refusals };
        this.presented.push(new cloudflare.ZoneSetting(own, inputs, adopted(at, own)));
      } else if (originPullKey) {
        const certificate = new cloudflare.AuthenticatedOriginPullsCertificate(
          `${name}-certificate`,
          { zoneId, certificate: pulls.certificate, privateKey: originPullKey },
          { parent: this, hooks: { onError: [refusals] } },
        );
        const settings = new cloudflare.AuthenticatedOriginPullsSettings(
          `${name}-settings`,
          { zoneId, enabled: true },
          { parent: this, dependsOn: [certificate], hooks: { onError: [refusals] } },
        );
        this.presented.push(certificate, settings);
      }
    }

    this.registerOutputs({});
  }
}
