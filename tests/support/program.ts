import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { record, type Recording } from "./mocks.ts";
import { filledIn, type StackFile } from "./systems.ts";

export const sshKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nnot-a-key\n-----END OPENSSH PRIVATE KEY-----\n";

let runs = 0;

/** The whole program with a stack file that a team has filled in, as a preview sees it; `undefined` takes a key away. */
export async function program(file: StackFile, changes: Record<string, unknown> = {}): Promise<Recording<unknown>> {
  const values: Record<string, unknown> = {
    ...file.config,
    ...(await filledIn(file)),
    "berth:sshKey": sshKey,
    ...changes,
  };
  const texts = Object.entries(values).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, typeof value === "string" ? value : JSON.stringify(value)]],
  );
  const secrets = texts.map(([key]) => key).filter((key) => !key.startsWith("berth:") || key === "berth:sshKey");
  pulumi.runtime.setAllConfig(Object.fromEntries(texts), secrets);
  // The program writes its SSH files below the current directory.
  const home = process.cwd();
  const elsewhere = mkdtempSync(join(tmpdir(), "berth-program-"));
  process.chdir(elsewhere);
  try {
    // A module runs once for each address that it is imported by.
    const index = `../../index.ts?run=${(runs += 1)}`;
    return await record(async () => import(index) as Promise<unknown>, { preview: true });
  } finally {
    process.chdir(home);
    rmSync(elsewhere, { recursive: true });
  }
}
