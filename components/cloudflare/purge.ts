import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../config/load.ts";
import { command } from "../shared/providers.ts";
import type { Ready } from "../shared/ready.ts";
import type { PurgeRequest } from "./purge-cache.ts";
import { isStatic } from "./rulesets.render.ts";

export interface PurgeArgs {
  readonly config: Pick<Config, "cloudflare" | "system" | "images" | "cloudflareToken" | "cloudflareUrl">;
}

/**
 * What a release changed is forgotten by Cloudflare's cache: the static routes of each service that has another image.
 * Depends on services and edge, so that nobody fetches old files into the cache again.
 *
 * @example
 * new Purge("purge", { config }, { dependsOn: edge.ready });
 *
 * Creates: one `command.local.Command` per service with static routes, run again when its image or its routes change;
 * none for a zone that is not proxied. Stateful: no.
 */
export class Purge extends pulumi.ComponentResource {
  /** Passed when Cloudflare has forgotten all of it. */
  readonly ready: Ready;

  constructor(name: string, args: PurgeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("berth:cloudflare:Purge", name, {}, opts);

    const { cloudflareToken, cloudflareUrl } = args.config;
    const environment = {
      ...(cloudflareToken !== undefined && { CLOUDFLARE_API_TOKEN: cloudflareToken }),
      ...(cloudflareUrl !== undefined && { CLOUDFLARE_BASE_URL: cloudflareUrl }),
    };
    const commands = Object.entries(purgeRequests(args.config)).map(
      ([service, request]) =>
        new command.local.Command(
          `${name}-${service}`,
          { create: "node components/cloudflare/purge-cache.ts", stdin: JSON.stringify(request), environment },
          { parent: this },
        ),
    );
    this.ready = pulumi.output(commands);

    this.registerOutputs({});
  }
}

/** What is to be forgotten, by the service that serves it. */
export function purgeRequests({
  cloudflare: zone,
  system,
  images,
}: Pick<Config, "cloudflare" | "system" | "images">): Readonly<Record<string, PurgeRequest>> {
  if (zone === "none" || !zone.proxied) return {};
  const prefixes = new Map<string, string[]>();
  for (const site of system.edge.sites)
    for (const { service, path } of site.routes.filter(isStatic))
      prefixes.set(service, [...(prefixes.get(service) ?? []), `${site.host}${path.replace(/\/+$/, "")}`]);
  return Object.fromEntries(
    [...prefixes].map(([service, all]) => {
      const image = images[system.services[service]?.image ?? ""]?.ref ?? "";
      return [service, { zoneId: zone.zoneId, prefixes: all.toSorted(), image }];
    }),
  );
}
