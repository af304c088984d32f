import * as pulumi from "@pulumi/pulumi";
import type { Cloudflare } from "../config/cloudflare.ts";

/** What all resources of a component at Cloudflare have in common. */
export interface AtCloudflare {
  readonly zone: Cloudflare;
  readonly parent: pulumi.Resource;
  readonly refusals: pulumi.ErrorHook;
}

/** What people write beside a DNS record; it stays theirs. */
export const notes = ["comment", "tags"];

/**
 * Options of a resource at Cloudflare: its refusals are explained, and it may exist already. As long as its name stands
 * under `adopt`, it is taken into the state as it is and not changed; once the line is gone, a preview shows what the
 * stack wants otherwise. What stands in `kept` is set when the resource is made and never changed.
 */
export function adopted(
  { zone, parent, refusals }: AtCloudflare,
  name: string,
  kept: readonly string[] = [],
): pulumi.CustomResourceOptions {
  const id = zone.adopt[name];
  const opts = { parent, hooks: { onError: [refusals] } };
  // Everything, also what the program does not say: an import that would change something is refused by Pulumi.
  if (id !== undefined) return { ...opts, import: id, ignoreChanges: ["*"] };
  return kept.length === 0 ? opts : { ...opts, ignoreChanges: [...kept] };
}
