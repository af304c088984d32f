import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { sharedLab, TestLab } from "./support/lab.ts";

describe("a rollback", function () {
  this.timeout(600_000);
  let lab: TestLab;

  before(async () => {
    lab = await sharedLab();
  });
  afterEach(async () => {
    await lab.reset();
  });

  it("returns to the release before, also when its image is gone from the host, and leaves nothing to do", async () => {
    const before = await readFile(lab.stackFile, "utf8");
    await lab.pin({ api: "palmistry-api:1.1.0" });
    await lab.mustUp();
    await forgetOnHost("palmistry-api:1.0.0");

    const { code, stdout, stderr } = await lab.berth("rollback", "--yes");
    assert.equal(code, 0, stdout + stderr);
    await lab.answers("1.0.0");
    assert.equal(await readFile(lab.stackFile, "utf8"), before, "the stack file is as it was, comments included");
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);
    assert.equal((await lab.berth("status")).code, 0);
  });

  it("goes to the release with a named tag, and shows it in the list", async () => {
    await lab.pin({ api: "palmistry-api:1.1.0" });
    await lab.mustUp();
    const { code, stdout, stderr } = await lab.berth("rollback", "--to-tag", "api=1.0.0", "--yes");
    assert.equal(code, 0, stdout + stderr);
    await lab.answers("1.0.0");
    const list = JSON.parse((await lab.berth("releases", "--json")).stdout) as { number?: number; result: string }[];
    assert.equal(list.filter(({ result }) => result === "live").length, 1);
  });

  it("to a number that never was changes nothing and says which there are", async () => {
    const before = await readFile(lab.stackFile, "utf8");
    const { code, stderr } = await lab.berth("rollback", "--to", "999", "--yes");
    assert.notEqual(code, 0);
    assert.match(stderr, /999/);
    assert.equal(await readFile(lab.stackFile, "utf8"), before);
  });

  it("says before it touches anything that the registry no longer has the image", async () => {
    await lab.pin({ api: "palmistry-api:1.1.0" });
    await lab.mustUp();
    const file = await readFile(lab.stackFile, "utf8");
    const registry = `berth-${lab.lab.name}-registry`;
    const move = (from: string, to: string) =>
      lab.run(
        "docker",
        "exec",
        registry,
        "sh",
        "-c",
        `d=$(find /var/lib/registry -type d -path '*/repositories/palmistry-api/${from}' 2>/dev/null | head -1); [ -n "$d" ] && mv "$d" "$(dirname "$d")/${to}"`,
      );
    assert.equal((await move("_manifests", "_hidden")).code, 0);
    try {
      const { code, stderr } = await lab.berth("rollback", "--yes");
      assert.notEqual(code, 0);
      assert.match(stderr, /palmistry-api:1\.0\.0/);
      assert.equal(await readFile(lab.stackFile, "utf8"), file);
      await lab.answers("1.1.0");
    } finally {
      await move("_hidden", "_manifests");
    }
  });

  async function forgetOnHost(image: string): Promise<void> {
    const host = `berth-${lab.lab.name}-host1`;
    const script = `docker ps -aq --filter status=exited | xargs -r docker rm; docker images -q --no-trunc --filter reference='registry.test:5000/${image}' | sort -u | xargs -r docker rmi -f; docker images -aq --filter dangling=true | xargs -r docker rmi -f`;
    await lab.run("docker", "exec", host, "sh", "-c", script);
  }
});
