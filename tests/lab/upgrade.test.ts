import assert from "node:assert/strict";
import { startLoad, startSockets } from "../support/load.ts";
import { sharedLab, TestLab } from "./support/lab.ts";

interface Preview {
  readonly steps: readonly { readonly op: string; readonly urn: string }[];
}

describe("an upgrade", function () {
  this.timeout(600_000);
  let lab: TestLab;

  before(async () => {
    lab = await sharedLab();
  });
  afterEach(async () => {
    await lab.reset();
  });

  it("previews exactly the service, its migration job and the record of the release", async () => {
    await lab.pin({ api: "palmistry-api:1.1.0" });
    const { code, stdout, stderr } = await lab.pulumi("preview", "--json");
    assert.equal(code, 0, stderr);
    const { steps } = JSON.parse(stdout) as Preview;
    const changed = steps
      .filter(({ op }) => op !== "same")
      .map(({ op, urn }) => `${op} ${urn.split("::").at(-1) ?? ""}`);
    assert.deepEqual(changed.toSorted(), [
      "update api",
      "update api-service",
      "update migrate",
      "update migrate-run",
      "update release-record",
    ]);
  });

  it("fails none of 20,000 requests, with and without keep-alive, and leaves sockets to other services alone", async () => {
    const target = {
      url: `${lab.origin}/api/version`,
      connect: `127.0.0.1:${lab.lab.httpsPort}`,
      seconds: 240,
      connections: 100,
    };
    const [kept, fresh] = await Promise.all([
      startLoad({ ...target, rate: 500, requests: 20_000 }),
      startLoad({ ...target, rate: 50, requests: 2_000, keepAlive: false }),
    ]);
    await lab.pin({ api: "palmistry-api:1.1.0" });
    const up = await lab.up();
    assert.equal(up.code, 0, up.stdout + up.stderr);
    assert.equal(
      kept.progress()?.bodies["1.1.0"]?.count === undefined,
      false,
      "the new version answers before the end",
    );

    const results = await Promise.all([kept.done, fresh.done]);
    for (const result of results) {
      assert.deepEqual(result.reasons, {});
      assert.equal(result.failed, 0);
      assert.ok(result.bodies["1.0.0"] && result.bodies["1.1.0"], "both versions answered in turn");
    }
    assert.equal(results[0].ok, 20_000);
  });

  it("leaves the WebSockets of services that do not change", async () => {
    const sockets = await startSockets({
      url: `${lab.origin.replace("https", "wss")}/api/ws`,
      connect: `127.0.0.1:${lab.lab.httpsPort}`,
      count: 20,
      seconds: 120,
    });
    await lab.pin({ frontend: "palmistry-frontend:1.1.0" });
    await lab.mustUp();
    const result = await sockets.stop();
    assert.equal(result.opened, 20);
    assert.deepEqual(result.cut, []);
  });
});
