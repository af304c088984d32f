import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { fingerprint } from "../../components/fleet/host-key.ts";
import { sshConfigPath } from "../../components/fleet/ssh.render.ts";
import { ensureDocker } from "../../lab/daemon.ts";
import { ensureNetwork } from "../../lab/docker.ts";
import { ensureHosts } from "../../lab/hosts.ts";
import { labImages } from "../../lab/images.ts";
import { startLoad } from "../support/load.ts";
import { TestLab } from "../lab/support/lab.ts";
import { eventually, FleetLab } from "./support/fleet.ts";

describe("a fleet of three hosts", function () {
  this.timeout(900_000);
  let fleet: FleetLab;
  let lab: TestLab;

  before(async () => {
    fleet = await FleetLab.shared();
    ({ lab } = fleet);
  });
  afterEach(async function () {
    await fleet.restoreAfter(this.currentTest);
  });

  it("is one swarm, of which a second up and a preview change nothing", async () => {
    assert.deepEqual(
      (await fleet.nodes()).map((line) => line.replace(/Leader|Reachable/, "manager")),
      fleet.hosts.map((name) => `${name} Ready Active manager`),
    );
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);
    assert.deepEqual(await fleet.status().then(({ problems }) => problems), []);
    const deep = await lab.berth("status", "--deep");
    assert.equal(deep.code, 0, deep.stdout + deep.stderr);
  });

  it("dials each host at most twice for an up that changes nothing", async () => {
    const logins = async (): Promise<number[]> =>
      Promise.all(
        fleet.hosts.map(async (host) =>
          Number(await fleet.on(host, "sh", "-c", "journalctl --quiet -t sshd | grep -c 'Accepted publickey'")),
        ),
      );
    // Connections are kept for a moment; those of an earlier command do not count.
    await Promise.all(
      fleet.hosts.map(async (host) => lab.run("ssh", "-F", sshConfigPath(lab.lab.stack), "-O", "exit", host)),
    );
    const before = await logins();
    const { seconds } = await lab.mustUp();
    const dials = (await logins()).map((count, index) => count - (before[index] ?? 0));
    assert.ok(
      dials.every((count) => count >= 1 && count <= 2),
      `${dials.join(", ")} dials in ${seconds.toFixed(1)} s`,
    );
  });

  it("keeps no join token in the state", async () => {
    const { stdout } = await lab.pulumi("stack", "export", "--show-secrets");
    const token = await fleet.on("host1", "docker", "swarm", "join-token", "--quiet", "worker");
    assert.match(token, /^SWMTKN-/);
    assert.doesNotMatch(stdout, /SWMTKN-/);
  });

  it("keeps data and what uses it on the host that the stack file names", async () => {
    for (const service of ["postgres", "redis", "api", "worker"]) {
      assert.deepEqual([...new Set(await fleet.running(service, "host1"))], ["host3"], service);
    }
  });

  it("answers from the edge of every host, with a certificate that each got by itself", async () => {
    for (const { connect } of [fleet.edge(0), fleet.edge(1), fleet.edge(2)]) {
      const load = await startLoad({
        url: `${lab.origin}/`,
        connect,
        rate: 5,
        requests: 5,
        seconds: 10,
        connections: 1,
      });
      assert.equal((await load.done).failed, 0, connect);
    }
  });

  it("drains a host and changes its labels as edits, previewed as what they are", async () => {
    await fleet.edit((hosts) =>
      hosts.map((host) =>
        host.name === "host2" ? { ...host, state: "drain", labels: { edge: "true", disk: "ssd" } } : host,
      ),
    );
    const previewed = await fleet.changes();
    assert.ok(previewed.includes(`delete dns-host2-${lab.lab.domain}`), previewed.join("\n"));
    assert.deepEqual(
      previewed.filter((step) => !step.startsWith("delete dns-")),
      ["update fleet-host2", "update fleet-host2-swarm"],
    );
    await lab.mustUp();
    assert.equal(await fleet.on("host2", "docker", "ps", "--quiet", "--filter", "label=com.docker.swarm.task"), "");
    assert.equal(
      await fleet.on("host1", "docker", "node", "inspect", "--format", "{{.Spec.Labels.disk}}", "host2"),
      "ssd",
    );
    await fleet.asPinned();
    await fleet.restore();
    await fleet.asPinned();
  });

  it("loses a host under load: the edge answers, status names it within 30 s, up works, and it comes back", async () => {
    const load = await startLoad({ ...fleet.edge(0), rate: 100, requests: 20_000, seconds: 300, connections: 50 });
    const lost = performance.now();
    await fleet.machine("kill", "host2");
    const seen = await fleet.status();
    assert.ok(performance.now() - lost < 30_000, "status takes too long");
    assert.equal(seen.asPinned, false);
    assert.ok(
      seen.problems.some((problem) => problem.startsWith("host host2: ")),
      seen.problems.join("\n"),
    );

    await eventually(async () => {
      assert.equal((await fleet.running("frontend", "host1")).filter((node) => node !== "host2").length, 2);
    });
    await lab.pin({ frontend: "palmistry-frontend:1.1.0" });
    const { stdout: said } = await lab.mustUp();
    assert.match(said, /warning: host host2 does not answer, and the swarm finds it down/);
    const result = await load.stop();
    assert.ok(result.failed / (result.ok + result.failed) < 0.02, JSON.stringify(result.reasons));
    assert.ok(result.bodies["1.1.0"] ?? result.ok > 0);

    await fleet.machine("start", "host2");
    await eventually(async () => fleet.asPinned());
    await lab.reset();
  });

  it("loses the manager that leads: an up with a migration works through another one", async () => {
    await fleet.machine("kill", "host1");
    await lab.pin(TestLab.applications("1.1.0"));
    await lab.mustUp();
    const { connect } = fleet.edge(1);
    const load = await startLoad({
      url: `${lab.origin}/api/version`,
      connect,
      rate: 10,
      requests: 50,
      seconds: 20,
      connections: 5,
    });
    assert.deepEqual(Object.keys((await load.done).bodies), ["1.1.0"]);
    await fleet.machine("start", "host1");
    await eventually(async () => fleet.asPinned());
    await lab.reset();
  });

  it("refuses hosts that do not answer while the swarm finds them ready, all at once, before anything changes", async () => {
    const before = await fleet.nodes();
    await fleet.edit((hosts) => [
      ...hosts.map((host) => (host.name === "host2" ? { ...host, port: 1 } : host)),
      { ...hosts[2], name: "host4", port: 2, privateAddress: "192.0.2.4", role: "worker" },
    ]);
    const { code, stdout, stderr } = await lab.up();
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /have 2 problems; nothing was changed:/);
    assert.match(
      stdout + stderr,
      /berth:hosts\[1\]\.port: host host2 cannot be reached by SSH, though the swarm finds it ready/,
    );
    assert.match(
      stdout + stderr,
      /berth:hosts\[3\]\.port: host host4 cannot be reached by SSH, got 127\.0\.0\.1 port 2 /,
    );
    assert.deepEqual(await fleet.nodes(), before);
    await writeFile(lab.stackFile, fleet.pristine);
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);
  });

  it("removes a host that answers, which is drained and leaves, and adds it again, as edits of the stack file", async () => {
    await fleet.edit((hosts) =>
      hosts
        .filter(({ name }) => name !== "host2")
        .map((host) => (host.name === "host3" ? { ...host, role: "worker" } : host)),
    );
    const previewed = await fleet.changes();
    for (const step of ["delete fleet-host2-swarm", "update fleet-host3-swarm"])
      assert.ok(previewed.includes(step), previewed.join("\n"));
    await lab.mustUp();
    assert.deepEqual(
      (await fleet.nodes()).map((line) => line.trim()),
      ["host1 Ready Active Leader", "host3 Ready Active"],
    );
    assert.equal(await fleet.on("host2", "docker", "info", "--format", "{{.Swarm.LocalNodeState}}"), "inactive");
    assert.equal(await fleet.on("host2", "docker", "ps", "--quiet", "--filter", "label=com.docker.swarm.task"), "");
    await fleet.restore();
    await fleet.asPinned();
    assert.equal((await fleet.nodes()).filter((line) => / Ready Active (Leader|Reachable)$/.test(line)).length, 3);
  });

  it("removes a lost host without its help, and takes it back when it is clean", async () => {
    await fleet.machine("kill", "host2");
    await fleet.edit((hosts) =>
      hosts
        .filter(({ name }) => name !== "host2")
        .map((host) => (host.name === "host3" ? { ...host, role: "worker" } : host)),
    );
    await lab.mustUp();
    assert.deepEqual(
      (await fleet.nodes()).map((line) => line.trim()),
      ["host1 Ready Active Leader", "host3 Ready Active"],
    );
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);

    await fleet.machine("start", "host2");
    await eventually(async () => {
      await fleet.on("host2", "docker", "swarm", "leave", "--force");
    });
    await fleet.restore();
    await fleet.asPinned();
    assert.equal((await fleet.nodes()).length, 3);
  });

  it("applies again what was changed on a host, by the name that the runbook gives", async () => {
    await fleet.on("host2", "sysctl", "--quiet", "--write", "net.ipv4.conf.all.accept_redirects=1");
    assert.match(
      (await lab.berth("status", "--deep")).stdout,
      /host host2: sysctl: net\.ipv4\.conf\.all\.accept_redirects is 1/,
    );
    const target = ["--replace", "**::fleet-host2-system"];
    const { code, stdout, stderr } = await lab.pulumi("up", "--yes", "--skip-preview", ...target);
    assert.equal(code, 0, stdout + stderr);
    const deep = await lab.berth("status", "--deep");
    assert.equal(deep.code, 0, deep.stdout + deep.stderr);
  });

  it("refuses a machine that was set up anew until its line has the new host key, and then takes it back", async () => {
    assert.equal((await lab.run("docker", "rm", "--force", "--volumes", fleet.container("host2"))).code, 0);
    const quiet = (): void => undefined;
    const docker = await ensureDocker(lab.lab.cache, quiet);
    const images = labImages(lab.lab.root, []);
    const machines = await ensureHosts(docker, lab.lab, images, 3, await ensureNetwork(docker, lab.lab), quiet);
    const hostKey = machines[1]?.hostKey ?? "";

    const refused = await lab.up();
    assert.notEqual(refused.code, 0);
    const said = refused.stdout + refused.stderr;
    const message = `berth:hosts[1].hostKey: host host2 shows another host key than the pinned one, got ${fingerprint(hostKey)} for `;
    assert.ok(said.includes(message), said);
    assert.match(said, /nothing was changed/);

    await fleet.edit((hosts) => hosts.map((host) => (host.name === "host2" ? { ...host, hostKey } : host)));
    await lab.mustUp();
    await eventually(async () => fleet.asPinned());
    assert.equal((await fleet.nodes()).length, 3);
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);
    const deep = await lab.berth("status", "--deep");
    assert.equal(deep.code, 0, deep.stdout + deep.stderr);
    const load = { ...fleet.edge(1), rate: 5, requests: 5, seconds: 10, connections: 1 };
    assert.equal((await (await startLoad(load)).done).failed, 0, "its edge has a certificate again");
    fleet.pristine = await readFile(lab.stackFile, "utf8");
  });

  it("replaces the join tokens and keeps its hosts", async () => {
    const token = () => fleet.on("host1", "docker", "swarm", "join-token", "--quiet", "worker");
    const before = await token();
    await fleet.set("berth:swarm", { joinTokens: 2 });
    assert.deepEqual(await fleet.changes(), ["create fleet-join-tokens"]);
    await lab.mustUp();
    assert.notEqual(await token(), before);
    await fleet.asPinned();
  });
});
