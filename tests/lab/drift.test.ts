import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { setValue } from "../../operations/yaml-edit.ts";
import { sharedLab, TestLab } from "./support/lab.ts";

describe("a change behind Pulumi's back", function () {
  this.timeout(600_000);
  let lab: TestLab;

  before(async () => {
    lab = await sharedLab();
  });

  const onHost = (...argv: string[]) => lab.run("docker", "exec", `berth-${lab.lab.name}-host1`, ...argv);

  it("makes an up without changes red, and --refresh puts it right", async () => {
    const other = "registry.test:5000/palmistry-frontend:1.1.0";
    const changed = await onHost("docker", "service", "update", "--image", other, "palmistry-frontend");
    assert.equal(changed.code, 0, changed.stderr);
    assert.notEqual((await lab.up()).code, 0);
    assert.equal((await lab.berth("status")).code, 3);
    const refreshed = await lab.pulumi("up", "--yes", "--skip-preview", "--refresh");
    assert.equal(refreshed.code, 0, refreshed.stdout + refreshed.stderr);
    assert.equal((await lab.berth("status")).code, 0);
  });

  it("of a secret is one up: services move to the new one, then the old one goes", async () => {
    const file = await readFile(lab.stackFile, "utf8");
    await writeFile(lab.stackFile, setValue(file, ["config", "berth:secretGenerations"], { SECRET_KEY: 2 }));
    const before = await secretNames();
    await lab.mustUp();
    const after = await secretNames();
    assert.equal(after.length, before.length);
    assert.equal(before.filter((name) => !after.includes(name)).length, 1);
    assert.equal((await lab.get("/api/health")).status, 200);
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);
  });

  async function secretNames(): Promise<string[]> {
    const { stdout } = await onHost("docker", "secret", "ls", "--format", "{{.Name}}");
    return stdout.trim().split("\n").toSorted();
  }
});
