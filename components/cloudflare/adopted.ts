import * as pulumi from "@pulumi/pulumi";
import type { Cloudflare } from "../config/cloudflare.ts";

/**
 * Options of a resource that may exist already. As long as its name stands under `adopt`, it is taken into the state as
 * it is and not changed; once the line is gone, a preview shows what the stack wants otherwise.
 */
export function adopted(
  zone: Cloudflare,
  name: string,
  properties: readonly string[],
  opts: pulumi.CustomResourceOptions,
): pulumi.CustomResourceOptions {
  const id = zone.adopt[name];
  return id === undefined ? opts : { ...opts, import: id, ignoreChanges: [...properties] };
}
