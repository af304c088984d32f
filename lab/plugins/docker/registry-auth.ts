import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly serveraddress?: string;
}

/** One entry of the provider argument `registryAuth`. */
export interface RegistryAuth {
  readonly address: string;
  readonly username?: string;
  readonly password?: string;
  readonly configFile?: string;
  readonly configFileContent?: string;
  readonly authDisabled?: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Credentials by registry host name. */
export function registryAuths(given: readonly RegistryAuth[], env: Env): ReadonlyMap<string, AuthConfig> {
  return new Map(
    given.map((auth) => {
      const host = hostOf(auth.address);
      const scheme = auth.address.startsWith("http://") ? "http" : "https";
      return [host, { ...credentials(auth, host, env), serveraddress: `${scheme}://${host}` }];
    }),
  );
}

function credentials(auth: RegistryAuth, host: string, env: Env): AuthConfig {
  // The daemon wants something to send even to a registry that asks for nothing.
  if (auth.authDisabled === true) return { username: "username", password: "password" };
  const username = auth.username ?? env["DOCKER_REGISTRY_USER"] ?? "";
  if (username !== "") return { username, password: auth.password ?? env["DOCKER_REGISTRY_PASS"] ?? "" };
  const content = auth.configFileContent ?? "";
  return fromConfigFile(content === "" ? readConfigFile(auth.configFile ?? defaultConfigFile(env)) : content, host);
}

function defaultConfigFile(env: Env): string {
  const configured = env["DOCKER_CONFIG"] ?? "";
  if (configured === "") return "~/.docker/config.json";
  const isDirectory = statSync(configured, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isDirectory ? join(configured, "config.json") : configured;
}

function readConfigFile(path: string): string {
  const file = path.startsWith("~/") ? join(homedir(), path.slice(2)) : path;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`registryAuth: could not open config file from filePath: ${file}. Error: ${reason}`, {
      cause: error,
    });
  }
}

interface ConfigFile {
  readonly auths?: Readonly<Record<string, { readonly auth?: string } | undefined>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

function fromConfigFile(content: string, host: string): AuthConfig {
  const config = JSON.parse(content) as ConfigFile;
  if (config.credsStore !== undefined || config.credHelpers?.[host] !== undefined) {
    throw new Error(`registryAuth: ${host} uses a credential helper, which the stand-in does not have; give username`);
  }
  const entry = Object.entries(config.auths ?? {}).find(([address]) => hostOf(address) === host)?.[1];
  const [username = "", ...password] = Buffer.from(entry?.auth ?? "", "base64")
    .toString()
    .split(":");
  return { username, password: password.join(":") };
}

const dockerHub = ["registry-1.docker.io", "index.docker.io", "docker.io", "registry.hub.docker.com"];

/** The credentials for an image: those of the host before the first slash. A name without a slash gets none. */
export function authFor(image: string, auths: ReadonlyMap<string, AuthConfig>): AuthConfig {
  const name = image.replace("http://", "").replace("https://", "");
  const slash = name.indexOf("/");
  if (slash === -1) return {};
  const host = name.slice(0, slash);
  const aliases = dockerHub.includes(host) ? dockerHub : [];
  return [host, ...aliases].map((alias) => auths.get(alias)).find((auth) => auth !== undefined) ?? {};
}

/** As the daemon takes it: base64 for URLs, with its padding. */
export function encodeAuth(auth: AuthConfig): string {
  return Buffer.from(JSON.stringify(auth)).toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

function hostOf(address: string): string {
  return address.replace(/^https?:\/\//, "").split("/")[0] ?? "";
}
