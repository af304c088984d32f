import { existsSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exitCodes, OperatorError, usageError, type Flags, type Context, type Verb } from "./verb.ts";

/*
 * npm run berth -- <verb>: what an operator does beside `pulumi preview` and `pulumi up`.
 * Each verb is loaded when it is asked for: start-up counts while something is broken.
 */

interface Entry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly verb: Verb }>;
}

export const verbs: Readonly<Record<string, Entry>> = {
  pin: { summary: "resolve tags at the registry and write the pins", load: () => import("./verbs/pin.ts") },
  releases: { summary: "list what was released, when and by whom", load: () => import("./verbs/releases.ts") },
  rollback: { summary: "go back to an earlier release", load: () => import("./verbs/rollback.ts") },
  status: { summary: "compare what is live with what is pinned", load: () => import("./verbs/status.ts") },
  certificate: {
    summary: "replace or revoke a certificate now",
    load: () => import("./verbs/certificate.ts"),
  },
  alerts: { summary: "print alert rules for Prometheus", load: () => import("./verbs/alerts.ts") },
  unlock: { summary: "unlock managers after a restart, or keep the key", load: () => import("./verbs/unlock.ts") },
  "host-key": { summary: "print the host key line of a machine", load: () => import("./verbs/host-key.ts") },
};

/** Runs one command line and returns the exit code. */
export async function main(argv: readonly string[], context: Context): Promise<number> {
  try {
    const [name, ...rest] = argv;
    if (name === undefined || name === "help" || name === "--help" || name === "-h") {
      (name === undefined ? context.note : context.print)(overview());
      return name === undefined ? exitCodes.usage : exitCodes.done;
    }
    const entry = Object.hasOwn(verbs, name) ? verbs[name] : undefined;
    if (!entry) {
      throw usageError(`berth: unknown verb, got ${JSON.stringify(name)}; use one of ${Object.keys(verbs).join(", ")}`);
    }
    const { verb } = await entry.load();
    const { positionals, flags } = read(name, verb, rest);
    if (flags["help"] === true) {
      context.print(`npm run berth -- ${name} ${verb.usage}\n\n${verb.help}`);
      return exitCodes.done;
    }
    return await verb.run(context, positionals, flags);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    context.note(error.message);
    return error.exitCode;
  }
}

function read(name: string, verb: Verb, argv: string[]): { positionals: string[]; flags: Flags } {
  const cure = `see \`npm run berth -- ${name} --help\``;
  let parsed;
  try {
    const options = { ...verb.options, help: { type: "boolean", short: "h" } } as const;
    parsed = parseArgs({ args: argv, options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = (error as Error).message.split(". ")[0] ?? "";
    throw usageError(`berth ${name}: ${message.charAt(0).toLowerCase()}${message.slice(1)}; ${cure}`);
  }
  const { positionals } = parsed;
  const flags = parsed.values as Flags;
  const { min, max } = verb.positionals;
  if (flags["help"] !== true && (positionals.length < min || positionals.length > max)) {
    const got = positionals.length === 0 ? "none" : positionals.join(" ");
    throw usageError(`berth ${name}: takes ${verb.usage}, got ${got}; ${cure}`);
  }
  return { positionals, flags };
}

function overview(): string {
  const width = Math.max(...Object.keys(verbs).map((name) => name.length));
  return [
    "npm run berth -- <verb> [arguments]",
    "",
    ...Object.entries(verbs).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    "`npm run berth -- <verb> --help` explains one. The verbs use the environment's Pulumi: its backend and passphrase.",
    `Exit codes: ${exitCodes.done} done, ${exitCodes.failed} failed, ${exitCodes.usage} wrong usage, ` +
      `${exitCodes.notAsPinned} something is not as pinned (status);`,
    "rollback passes on the code of a failed `pulumi up`.",
  ].join("\n");
}

if (import.meta.main) {
  enableCompileCache();
  const root = process.cwd();
  const context: Context = {
    root,
    print: (text) => process.stdout.write(`${text}\n`),
    note: (text) => process.stderr.write(`${text}\n`),
    openRegistry: async (ref, file) => (await import("./registry.ts")).registryThroughManager(ref, file),
  };
  if (existsSync(join(root, "Pulumi.yaml"))) {
    process.exitCode = await main(process.argv.slice(2), context);
  } else {
    context.note(`berth: no Pulumi.yaml in ${root}; run it in the project root`);
    process.exitCode = exitCodes.usage;
  }
}
