import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { PulumiProject } from "../support/pulumi.ts";
import { sampleRaw } from "../support/sample-config.ts";

/* The configuration as the real CLI hands it over: structured values, secrets, and what a refusal looks like. */

const root = join(import.meta.dirname, "../..");
const key = "sk-never-print-this";

describe("the configuration, from a stack file through the engine", () => {
  let project: PulumiProject;

  before(async () => {
    // The program of the project is berth's own; what it exports besides shows what arrived.
    project = await PulumiProject.create({
      program: `
        if (settings.whole) await import(${JSON.stringify(join(root, "index.ts"))});
        const { load } = await import(${JSON.stringify(join(root, "components/config/load.ts"))});
        const config = await load();
        export const port = config.hosts[0].port;
        export const encrypted = config.encryptNetworks;
        export const key = config.supplied.OPENAI_API_KEY;
        export const plain = JSON.stringify({ ...config, supplied: undefined });`,
    });
  });
  after(async () => {
    await project.remove();
  });

  async function write(changes: Record<string, unknown> = {}): Promise<void> {
    const { values } = sampleRaw({ "palmistry:OPENAI_API_KEY": undefined, ...changes });
    const config = Object.entries(values).map(([name, value]): [string, unknown] => [
      name,
      /^[[{]/.test(String(value)) ? JSON.parse(String(value)) : value,
    ]);
    await project.write(`Pulumi.${project.stack}.yaml`, stringify({ config: Object.fromEntries(config) }));
  }

  it("arrives with its structure, and a secret as a secret", async () => {
    await write({ "berth:encryptNetworks": true });
    const set = await project.run("config", "set", "--secret", "palmistry:OPENAI_API_KEY", key);
    assert.equal(set.code, 0, set.stderr);
    await project.mustUp();
    const shown = JSON.parse((await project.run("stack", "output", "--json")).stdout) as Record<string, unknown>;
    assert.deepEqual([shown.port, shown.encrypted, shown.key], [2222, true, "[secret]"]);
    assert.ok(!String(shown.plain).includes(key));
    const revealed = await project.run("stack", "output", "--show-secrets", "key");
    assert.equal(revealed.stdout.trim(), key);
  });

  it("is refused as a whole, without a stack trace, a secret or a single resource", async () => {
    await project.settings({ whole: true });
    await write({ "berth:colour": "blue", "berth:domain": undefined, "palmistry:OPENAI_API_KEY": key });
    const { code, stdout, stderr } = await project.run("preview");
    const output = stdout + stderr;
    assert.notEqual(code, 0);
    assert.match(output, new RegExp(`stack "${project.stack}" has 3 problems; nothing was contacted:`));
    for (const path of ["berth:colour", "berth:domain", "palmistry:OPENAI_API_KEY"]) {
      assert.match(output, new RegExp(`  - ${path}: .+; .+`));
    }
    assert.ok(!output.includes(key), "the secret is shown");
    assert.doesNotMatch(output, /^\s+at /m);
    assert.doesNotMatch(output, /\+ {2}(?!pulumi:pulumi:Stack)\S+:\S+:\S+ /);
    for (const place of [project.directory, root]) {
      await assert.rejects(access(join(place, ".berth", project.stack)), { code: "ENOENT" });
    }
  });
});
