import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { PulumiProject } from "./pulumi.ts";
import { filledIn, type Mapping, type StackFile } from "./systems.ts";

/** Gives a project a stack file with what a team fills in; what is secret goes in by Pulumi's own command. */
export async function writeFilledIn(project: PulumiProject, file: StackFile): Promise<void> {
  const values: Mapping = { ...file.config, ...(await filledIn(file)) };
  const isSecret = (key: string): boolean => !key.startsWith("berth:");
  const plain = Object.fromEntries(Object.entries(values).filter(([key]) => !isSecret(key)));
  const path = `Pulumi.${project.stack}.yaml`;
  // The salt of the stack's secrets stands in its file.
  const { encryptionsalt } = parse(await readFile(join(project.directory, path), "utf8")) as {
    encryptionsalt?: string;
  };
  await project.write(path, stringify({ ...(encryptionsalt !== undefined && { encryptionsalt }), config: plain }));
  const secrets = Object.entries(values)
    .filter(([key]) => isSecret(key))
    .flatMap(([key, value]) => ["--secret", `${key}=${String(value)}`]);
  const { code, stderr } = await project.run("config", "set-all", ...secrets);
  if (code !== 0) throw new Error(`pulumi config set-all: ${stderr}`);
}
