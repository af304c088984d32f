import { randomBytes } from "node:crypto";
import { copyFile, mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { setValue } from "../operations/yaml-edit.ts";
import { passphraseFile } from "./environment.ts";
import { backendDirectory, pulumi, stacksOf } from "./pulumi.ts";
import { configFileArgs, type Lab } from "./settings.ts";
import { renderStackFile, updateStackFile, type StackFacts } from "./stack-file.ts";
import { exists, once, readIfThere, writeFileAtomic } from "./state.ts";

type Say = (line: string) => void;

/** Writes the stack file or brings it up to date, creates the stack and sets its secrets, as far as each is missing. */
export async function ensureStack(
  lab: Lab,
  env: NodeJS.ProcessEnv,
  facts: StackFacts,
  sshKeyPath: string,
  report: Say,
): Promise<void> {
  await ensurePassphrase(lab, report);
  const text = await readIfThere(lab.stackFile);
  const written = await writeFileAtomic(
    lab.stackFile,
    text === undefined ? renderStackFile(facts) : updateStackFile(text, facts),
  );
  if (written) report(`${lab.stackFile} ${text === undefined ? "written" : "brought up to date"}`);
  await createStack(lab, env);
  const { system } = facts;
  const secrets = {
    "berth:sshKey": () => readFile(sshKeyPath, "utf8"),
    // Nothing in the lab talks to whom they are for; the application only shows that the value arrived.
    ...Object.fromEntries(
      system.supplied.map((name) => [
        `${system.name}:${name}`,
        () => Promise.resolve(`lab-${randomBytes(16).toString("hex")}`),
      ]),
    ),
  };
  for (const [key, value] of Object.entries(secrets)) {
    if (key in (await configOf(lab))) continue;
    report(`setting the secret ${key}`);
    const args = ["config", "set", "--secret", key, "--stack", lab.stack, ...configFileArgs(lab)];
    await pulumi(lab, env, args, await value());
  }
}

/**
 * Forgets what an earlier host ran. A new, empty host under the old state would look to Pulumi as if everything
 * were there already.
 */
export async function dropState(lab: Lab): Promise<boolean> {
  const stacks = await stacksOf(lab);
  await rm(backendDirectory(lab), { recursive: true, force: true });
  for (const stack of stacks) await rm(join(lab.root, ".berth", stack), { recursive: true, force: true });
  return stacks.length > 0;
}

/** Secrets in a stack file belong to one passphrase; without it they can only be made anew. */
async function ensurePassphrase(lab: Lab, report: Say): Promise<void> {
  const isNew = (await readIfThere(passphraseFile(lab))) === undefined;
  const text = await readIfThere(lab.stackFile);
  if (isNew && text !== undefined) {
    report(`the secrets in ${lab.stackFile} belong to a passphrase that is gone: made anew`);
    const sealed = Object.entries(await configOf(lab)).filter(([, value]) => isSealed(value));
    const paths = [["encryptionsalt"], ...sealed.map(([key]) => ["config", key])];
    await writeFileAtomic(
      lab.stackFile,
      paths.reduce((next, path) => setValue(next, path, undefined), text),
    );
  }
  await once(passphraseFile(lab), () => randomBytes(24).toString("hex"));
}

async function createStack(lab: Lab, env: NodeJS.ProcessEnv): Promise<void> {
  await mkdir(backendDirectory(lab), { recursive: true });
  if (await exists(join(backendDirectory(lab), ".pulumi", "stacks", "berth", `${lab.stack}.json`))) return;
  if (lab.stack === "local") {
    await pulumi(lab, env, ["stack", "init", lab.stack, "--no-select"]);
    return;
  }
  // `stack init` takes no --config-file and leaves a stack file behind: it gets a project of its own to do so.
  const scratch = join(lab.directory, "init");
  await mkdir(scratch, { recursive: true });
  await copyFile(join(lab.root, "Pulumi.yaml"), join(scratch, "Pulumi.yaml"));
  await pulumi(lab, env, ["--cwd", scratch, "stack", "init", lab.stack, "--no-select"]);
  await rm(scratch, { recursive: true });
}

async function configOf(lab: Lab): Promise<Record<string, unknown>> {
  const { config } = parse((await readIfThere(lab.stackFile)) ?? "") as { config?: Record<string, unknown> };
  return config ?? {};
}

function isSealed(value: unknown): boolean {
  return typeof value === "object" && value !== null && "secure" in value;
}
