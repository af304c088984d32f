import assert from "node:assert/strict";
import type { TestLab } from "../lab/support/lab.ts";
import { startLoad } from "../support/load.ts";
import { eventually, FleetLab } from "./support/fleet.ts";

describe("three managers that lock what they keep", function () {
  this.timeout(900_000);
  let fleet: FleetLab;
  let lab: TestLab;

  before(async () => {
    fleet = await FleetLab.shared();
    ({ lab } = fleet);
    await fleet.set("berth:swarm", { autolock: true });
    // A manager that waits for its key is not to restart by itself.
    const restarts = fleet.hosts.map((host) => `update fleet-${host}-system`);
    assert.deepEqual(await fleet.changes(), ["create fleet-autolock", ...restarts]);
    await lab.mustUp();
  });
  after(async () => {
    await fleet.restore();
    assert.equal(await locks(), "false");
  });
  afterEach(async function () {
    await fleet.restoreAfter(this.currentTest);
  });

  const locks = async (): Promise<string> =>
    fleet.on("host1", "docker", "info", "--format", "{{.Swarm.Cluster.Spec.EncryptionConfig.AutoLockManagers}}");
  const state = async (host: string): Promise<string> =>
    fleet.on(host, "docker", "info", "--format", "{{.Swarm.LocalNodeState}}");
  const key = async (): Promise<string> => fleet.on("host1", "docker", "swarm", "unlock-key", "--quiet");
  const reachable = async (): Promise<number> =>
    (await fleet.nodes()).filter((line) => / Ready Active (Leader|Reachable)$/.test(line)).length;
  /** As by a power cut that ends at once, or by a restart for its updates. */
  const restart = async (host: string): Promise<void> => {
    await fleet.machine("restart", host);
    await eventually(async () => {
      assert.equal(await state(host), "locked");
    });
  };
  const unlock = async (...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await lab.berth("unlock", ...argv);
    assert.equal(code, 0, stdout + stderr);
    assert.doesNotMatch(stdout + stderr, /SWMKEY/);
    return stdout;
  };

  it("keeps no key in the state, and none on a disk", async () => {
    const { stdout } = await lab.pulumi("stack", "export", "--show-secrets");
    const held = await key();
    assert.match(held, /^SWMKEY-1-/);
    assert.doesNotMatch(stdout, /SWMKEY-/);
    for (const host of fleet.hosts) {
      // Files come and go meanwhile.
      const search = `grep -rlsF ${held} /etc /root /home /var/lib || [ "$?" -le 2 ]`;
      const found = await fleet.on(host, "sh", "-c", search);
      assert.equal(found, "", host);
    }
  });

  it("goes on under load while one of them has restarted and waits for its key, which berth brings", async () => {
    const load = await startLoad({ ...fleet.edge(0), rate: 100, requests: 30_000, seconds: 300, connections: 50 });
    await restart("host2");
    await eventually(async () => {
      assert.equal((await fleet.running("frontend", "host1")).filter((host) => host !== "host2").length, 2);
    });
    const { problems } = await fleet.status();
    assert.ok(
      problems.some((problem) => problem.startsWith("host host2: ")),
      problems.join("\n"),
    );
    assert.match((await lab.berth("status", "--deep")).stdout, /host host2: autolock: is locked since its restart/);
    // Others decide meanwhile, and whoever changes something is told.
    await lab.pin({ frontend: "palmistry-frontend:1.1.0" });
    const { stdout: said } = await lab.mustUp();
    assert.match(said, /warning: host host2 is locked since its restart and takes no part in the swarm; run "npm run /);
    assert.equal(await state("host2"), "locked", "nobody but the operator opens it");

    assert.equal(await unlock(), "host2: unlocked\n");
    await eventually(async () => {
      assert.equal(await reachable(), 3);
    });
    await eventually(async () => fleet.asPinned());
    const { ok, failed, reasons } = await load.stop();
    assert.ok(failed / (ok + failed) < 0.02, JSON.stringify(reasons));
    const beside = await startLoad({ ...fleet.edge(1), rate: 5, requests: 5, seconds: 10, connections: 1 });
    assert.equal((await beside.done).failed, 0, "its edge answers as before");
    await fleet.set("berth:swarm", { autolock: true });
    await lab.mustUp();
  });

  it("takes a new key on every manager, after which the old one opens none", async () => {
    const old = await key();
    assert.equal(await unlock("--rotate"), "replaced; from now on the new key unlocks managers\n");
    assert.notEqual(await key(), old);
    await restart("host2");
    const { code, stderr } = await lab.run(
      ...(["docker", "exec", fleet.container("host2"), "sh", "-c"] as const),
      `echo ${old} | docker swarm unlock`,
    );
    assert.notEqual(code, 0);
    assert.match(stderr, /invalid|key/);
    // After a wrong key this Docker takes the right one, but gives containers no network of the swarm until a restart.
    await fleet.on("host2", "systemctl", "restart", "docker");
    await eventually(async () => {
      assert.equal(await state("host2"), "locked");
    });
    const refused = await lab.berth("unlock", "--rotate");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /the key is replaced while all managers take part, got none of host2; /);
    assert.equal(await unlock(), "host2: unlocked\n");
    await eventually(async () => {
      assert.equal(await reachable(), 3);
    });
    await eventually(async () => fleet.asPinned());
  });
});
