import * as pulumi from "@pulumi/pulumi";
import { explain, refusalOf } from "./refusals.ts";

/**
 * Says what a refusal by Cloudflare means, beside the provider's own words, which tell neither the permission that is
 * missing nor what to do. Goes into `hooks` of every resource at Cloudflare; nothing is tried again.
 */
export function explainer(name: string): pulumi.ErrorHook {
  return new pulumi.ErrorHook(`${name}-refusals`, async (failure) => {
    const refusal = refusalOf(failure);
    const explained = refusal && explain(refusal);
    if (explained !== undefined) await pulumi.log.error(explained);
    return false;
  });
}
