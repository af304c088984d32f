import assert from "node:assert/strict";
import { startLoad } from "../support/load.ts";
import { sharedLab, TestLab } from "./support/lab.ts";

describe("a bad release", function () {
  this.timeout(600_000);
  let lab: TestLab;

  before(async () => {
    lab = await sharedLab();
  });
  afterEach(async () => {
    await lab.reset();
  });

  it("that never becomes healthy fails the up every time, while the old version serves without a failed request", async () => {
    const load = await startLoad({
      url: `${lab.origin}/api/version`,
      connect: `127.0.0.1:${lab.lab.httpsPort}`,
      rate: 100,
      seconds: 240,
    });
    await lab.pin({ api: "palmistry-api:1.2.0-broken" });
    const first = await lab.up();
    assert.notEqual(first.code, 0);
    assert.match(first.stdout, /palmistry-api: (did not become healthy|not converged)/);
    assert.match(first.stdout, /pinned: registry\.test:5000\/palmistry-api:1\.2\.0-broken@sha256:/);
    assert.match(first.stdout, /task palmistry-api\.\d: /);
    assert.match(first.stdout, /its last log lines:/);
    assert.match(first.stdout, /not live as pinned: palmistry-api; live: /);

    const second = await lab.up();
    assert.notEqual(second.code, 0, "an unchanged second try must not turn green");
    assert.match(second.stdout, /palmistry-api: /);
    assert.equal((await lab.berth("status")).code, 3);

    const seen = await load.stop();
    assert.deepEqual(seen.reasons, {});
    assert.deepEqual(Object.keys(seen.bodies), ["1.0.0"]);
  });

  it("that crashes fails the up with its exit code and last words, and again when it is sent again by --refresh", async () => {
    await lab.pin({ api: "palmistry-api:1.3.0-crash" });
    const first = await lab.up();
    assert.notEqual(first.code, 0);
    assert.match(first.stdout, /task palmistry-api\.\d: failed, exit code 1/);
    const again = await lab.pulumi("up", "--yes", "--skip-preview", "--refresh");
    assert.notEqual(again.code, 0);
    assert.match(again.stdout, /~ +docker:index:Service api-service/);
    await lab.answers("1.0.0");
  });

  it("of one of two services is told from the good one", async () => {
    await lab.pin({ api: "palmistry-api:1.1.0", frontend: "palmistry-frontend:1.3.0-crash" });
    const { code, stdout } = await lab.up();
    assert.notEqual(code, 0);
    assert.match(stdout, /not live as pinned: palmistry-frontend; live: .*palmistry-api/);
    assert.match(stdout, /palmistry-frontend: .*\n +pinned: .*1\.3\.0-crash/);
  });

  it("is forgotten on the way back to the good pin, which is verified and is no new release", async () => {
    const before = await release();
    await lab.pin({ api: "palmistry-api:1.3.0-crash" });
    assert.notEqual((await lab.up()).code, 0);
    await lab.pin({ api: "palmistry-api:1.0.0" });
    await lab.mustUp();
    assert.equal((await lab.berth("status")).code, 0);
    assert.equal(await release(), before);
  });

  it("stops before the service changes when its migration job fails", async () => {
    // As if it had not run for this image before.
    await onHost("docker config ls --quiet --filter label=berth.job | xargs -r docker config rm");
    await database("false");
    try {
      await lab.pin({ api: "palmistry-api:1.1.0" });
      const { code, stdout } = await lab.up();
      assert.notEqual(code, 0);
      assert.match(stdout, /palmistry-migrate: job failed: /);
      assert.match(stdout, /nothing that depends on it was changed/);
      await lab.answers("1.0.0");
    } finally {
      await database("true");
    }
  });

  /** Whether the database takes new connections. */
  async function database(open: "true" | "false"): Promise<void> {
    const sql = `ALTER DATABASE palmistry ALLOW_CONNECTIONS ${open}`;
    await onHost(`docker exec $(docker ps -q --filter name=palmistry-postgres) psql -U postgres -c '${sql}'`);
  }

  async function onHost(script: string): Promise<void> {
    const { code, stderr } = await lab.run("docker", "exec", `berth-${lab.lab.name}-host1`, "sh", "-c", script);
    assert.equal(code, 0, stderr);
  }

  async function release(): Promise<string> {
    return (await lab.pulumi("stack", "output", "release", "--stack", lab.lab.name)).stdout.trim();
  }
});
