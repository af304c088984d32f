import type { ProviderArgs } from "@pulumi/cloudflare";
import type { Properties } from "../framework/types.ts";
import { Client } from "./client.ts";

const accepted = {
  apiKey: true,
  apiToken: true,
  apiUserServiceKey: true,
  baseUrl: true,
  email: true,
  userAgentOperatorSuffix: true,
} satisfies Record<keyof ProviderArgs, true>;

/** The arguments of `new cloudflare.Provider` and keys of `cloudflare:` configuration. */
export const providerArguments = Object.keys(accepted);

/**
 * The connection, from the provider's arguments or else from the environment, as the real provider has it.
 * Unlike the real one it has no default address: a stand-in must never change a real zone by mistake.
 */
export function connect(values: Properties, environment: NodeJS.ProcessEnv): Client {
  for (const key of ["apiKey", "apiUserServiceKey", "email"])
    if (values[key] !== undefined)
      throw new Error(`${key}: the stand-in for the cloudflare provider takes API tokens only; use apiToken`);
  const token = text(values["apiToken"]);
  if (token !== undefined && !/^[0-9A-Za-z_-]{40,80}$/.test(token))
    throw new Error("apiToken: API tokens must be 40 to 80 characters of a-z, A-Z, 0-9, hyphens and underscores");
  const baseUrl = text(values["baseUrl"]) ?? environment["CLOUDFLARE_BASE_URL"];
  if (baseUrl === undefined)
    throw new Error(
      "baseUrl: missing, and CLOUDFLARE_BASE_URL is not set; the stand-in for the cloudflare provider " +
        "never calls the real Cloudflare. Point it at the lab's, or install the official plugin",
    );
  if (!URL.canParse(baseUrl)) throw new Error(`baseUrl: not a URL, got "${baseUrl}"`);
  return new Client(baseUrl, token ?? environment["CLOUDFLARE_API_TOKEN"] ?? "");
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
