import { readFileSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ProviderArgs } from "@pulumi/docker";
import { parseNested } from "../framework/config.ts";
import type { Properties } from "../framework/types.ts";
import { DockerApi } from "./docker-api.ts";
import { registryAuths } from "./registry-auth.ts";
import type { AuthConfig, RegistryAuth } from "./registry-auth.ts";

/** What the resources get from the provider. */
export interface Client {
  readonly api: DockerApi;
  readonly auths: ReadonlyMap<string, AuthConfig>;
}

/** What becomes of each provider argument. */
const providerArguments = {
  host: "used",
  context: "used",
  sshOpts: "used",
  registryAuth: "used",
  disableDockerDaemonCheck: "used",
  caMaterial: "refused",
  certMaterial: "refused",
  keyMaterial: "refused",
  certPath: "refused",
} satisfies Record<keyof ProviderArgs, "used" | "refused">;

export const providerArgumentNames = Object.keys(providerArguments);

type Env = Readonly<Record<string, string | undefined>>;

export async function configure(values: Properties, env: Env = process.env): Promise<Client> {
  const given = parseNested(values, ["sshOpts", "registryAuth"]);
  for (const [name, use] of Object.entries(providerArguments)) {
    if (use === "refused" && given[name] !== undefined && given[name] !== "") {
      throw new Error(`${name}: TLS to the Docker API is not part of the stand-in; use an ssh:// host`);
    }
  }
  const host = hostOf(given, env);
  const envOpts = env["DOCKER_SSH_OPTS"]?.split(/\s+/).filter((option) => option !== "") ?? [];
  const client: Client = {
    api: new DockerApi({ host, sshOpts: (given["sshOpts"] as string[] | undefined) ?? envOpts }),
    auths: registryAuths((given["registryAuth"] as RegistryAuth[] | undefined) ?? [], env),
  };
  // Hosts behind SSH are reached when the first resource needs them; a local daemon must answer from the start.
  const isChecked = given["disableDockerDaemonCheck"] !== true && given["disableDockerDaemonCheck"] !== "true";
  if (isChecked && !host.startsWith("ssh://")) await client.api.ping(AbortSignal.timeout(30_000));
  return client;
}

function hostOf(given: Properties, env: Env): string {
  const context = textOf(given["context"]) ?? textOf(env["DOCKER_CONTEXT"]);
  if (context !== undefined) return contextHost(context);
  return textOf(given["host"]) ?? textOf(env["DOCKER_HOST"]) ?? "unix:///var/run/docker.sock";
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

interface ContextFile {
  readonly Name?: string;
  readonly Endpoints?: { readonly docker?: { readonly Host?: string } };
}

function contextHost(name: string): string {
  const directory = join(homedir(), ".docker/contexts/meta");
  for (const entry of readdirSync(directory)) {
    const file = JSON.parse(readFileSync(join(directory, entry, "meta.json"), "utf8")) as ContextFile;
    const host = file.Endpoints?.docker?.Host;
    if (file.Name === name && host !== undefined) return host;
  }
  throw new Error(`Error loading Docker context '${name}': context '${name}' not found`);
}
