import { join } from "node:path";
import { quote } from "../components/shared/shell.ts";
import type { Engine } from "./engine.ts";
import { backendDirectory } from "./pulumi.ts";
import type { Lab } from "./settings.ts";

export interface EnvironmentArgs {
  readonly lab: Pick<Lab, "stack" | "root" | "directory" | "cache">;
  readonly engine: Pick<Engine, "path" | "env">;
  readonly cloudflare: { readonly baseUrl: string; readonly token: string };
}

/** What plain `pulumi` needs to work on the lab's stack. PATH holds only what goes in front. */
export function labEnvironment(args: EnvironmentArgs): Record<string, string> {
  const { lab, cloudflare } = args;
  return {
    PATH: [...new Set([join(lab.root, "node_modules/.bin"), ...args.engine.path])].join(":"),
    PULUMI_BACKEND_URL: `file://${backendDirectory(lab)}`,
    PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile(lab),
    PULUMI_STACK: lab.stack,
    CLOUDFLARE_BASE_URL: cloudflare.baseUrl,
    CLOUDFLARE_API_TOKEN: cloudflare.token,
    NODE_COMPILE_CACHE: join(lab.cache, "node"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    ...args.engine.env,
  };
}

/** Where the lines of {@link renderExports} are kept. */
export function exportsFile(lab: Pick<Lab, "directory" | "stack" | "name">): string {
  return join(lab.directory, lab.stack === lab.name ? "env.sh" : `env-${lab.stack}.sh`);
}

export function passphraseFile(lab: Pick<Lab, "directory">): string {
  return join(lab.directory, "passphrase");
}

/** `export` lines for a shell to evaluate, more than once without harm. */
export function renderExports(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => `export ${name}=${quote(value)}${name === "PATH" ? ':"$PATH"' : ""}\n`)
    .join("");
}

/** The same for a child process. */
export function processEnvironment(environment: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const { PULUMI_CONFIG_PASSPHRASE: _, ...own } = process.env;
  return { ...own, ...environment, PATH: `${environment["PATH"] ?? ""}:${process.env["PATH"] ?? ""}` };
}
