import * as pulumi from "@pulumi/pulumi";
import { explain, refusalOf } from "./refusals.ts";

/** Stands in the state beside each resource; a deletion is explained in every run that registers this name. */
const hookName = "explain what Cloudflare refuses";

/** One hook for each run of a program: Pulumi takes a name once. */
const hooks = new WeakMap<object, pulumi.ErrorHook>();

/**
 * Says what a refusal by Cloudflare means, beside the provider's own words, which tell neither the permission that is
 * missing nor what to do. Goes into `hooks` of every resource at Cloudflare; nothing is tried again. Components call it
 * even when they make nothing: what they made before is deleted with it.
 */
export function explainer(): pulumi.ErrorHook {
  const run = pulumi.runtime.getMonitor() as object | undefined;
  const known = run && hooks.get(run);
  if (known) return known;
  const hook = new pulumi.ErrorHook(hookName, async (failure) => {
    const refusal = refusalOf(failure);
    const explained = refusal && explain(refusal);
    if (explained !== undefined) await pulumi.log.error(explained);
    return false;
  });
  if (run) hooks.set(run, hook);
  return hook;
}
