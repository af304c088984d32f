import assert from "node:assert/strict";
import { access, chmod, mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { writeFilledIn } from "../support/filled-in.ts";
import { PulumiProject } from "../support/pulumi.ts";
import { environments, stackFileOf, systemNames } from "../support/systems.ts";

/*
 * `pulumi preview` of every system's stack files by the real CLI, as somebody runs it who has filled in what is his own
 * and has no way to any host.
 */

const root = join(import.meta.dirname, "../..");

describe("pulumi preview, without a host in reach", () => {
  let project: PulumiProject;
  const dialled = () => join(project.directory, "dialled");

  before(async () => {
    project = await PulumiProject.create({
      program: `await import(${JSON.stringify(join(root, "index.ts"))});`,
      dependencies: ["@pulumi/cloudflare", "@pulumi/command", "@pulumi/docker", "@pulumi/random"],
      // Nobody listens there: a preview has nothing to ask.
      env: { CLOUDFLARE_BASE_URL: "http://127.0.0.1:9" },
    });
    await refuseSsh(project);
  });
  after(async () => {
    await project.remove();
  });

  for (const system of systemNames) {
    for (const environment of environments) {
      it(`shows ${system} in ${environment} twice the same, and no secret`, async () => {
        await writeFilledIn(project, stackFileOf(system, environment));
        const first = await preview(project);
        assert.deepEqual(first.operations, ["create"]);
        assert.ok(first.steps.length > 40, `${first.steps.length} steps`);
        const second = await preview(project);
        assert.deepEqual(second.steps, first.steps);
        for (const { text } of [first, second]) assert.doesNotMatch(text, /supplied-[A-Z]/);
        await assert.rejects(access(dialled()), { code: "ENOENT" });
      });
    }
  }
});

/** Whoever dials is noted and refused. */
async function refuseSsh(project: PulumiProject): Promise<void> {
  const bin = join(project.directory, "bin");
  await mkdir(bin);
  await project.write(
    "bin/ssh",
    `#!/bin/sh\necho "$*" >>${JSON.stringify(join(project.directory, "dialled"))}\nexit 255\n`,
  );
  await chmod(join(bin, "ssh"), 0o755);
  project.env["PATH"] = [bin, project.env["PATH"]].join(delimiter);
}

interface Preview {
  /** Every resource with its inputs, by URN. */
  readonly steps: readonly unknown[];
  readonly operations: readonly string[];
  readonly text: string;
}

async function preview(project: PulumiProject): Promise<Preview> {
  const { code, stdout, stderr } = await project.run("preview", "--json");
  assert.equal(code, 0, `${stdout}${stderr}`);
  const { steps } = JSON.parse(stdout) as {
    steps: { op: string; urn: string; newState?: { inputs?: unknown; parent?: string; protect?: boolean } }[];
  };
  const shown = steps
    .toSorted((a, b) => (a.urn < b.urn ? -1 : 1))
    .map(({ op, urn, newState }) => ({ op, urn, inputs: newState?.inputs, protect: newState?.protect }));
  return {
    // Names that Pulumi gives end in digits that each run draws anew.
    steps: JSON.parse(JSON.stringify(shown).replaceAll(/-[0-9a-f]{7}(?=[",])/g, "-…")) as unknown[],
    operations: [...new Set(steps.map(({ op }) => op))],
    text: stdout + stderr,
  };
}
