import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { parse } from "yaml";
import { fingerprint } from "../../components/fleet/host-key.ts";
import { sshConfigPath } from "../../components/fleet/ssh.render.ts";
import { ensureDocker } from "../../lab/daemon.ts";
import { ensureNetwork } from "../../lab/docker.ts";
import { ensureHosts } from "../../lab/hosts.ts";
import { labImages } from "../../lab/images.ts";
import { setValue } from "../../operations/yaml-edit.ts";
import { startLoad } from "../support/load.ts";
import { createLab, TestLab } from "../lab/support/lab.ts";

interface HostEntry {
  readonly name: string;
  readonly [key: string]: unknown;
}
interface Status {
  readonly asPinned: boolean;
  readonly problems: readonly string[];
}

/** Until it does not fail; a host that starts, and a swarm that notices, take their time. */
async function eventually(what: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    try {
      await what();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

describe("a fleet of three hosts", function () {
  this.timeout(900_000);
  let lab: TestLab;
  let pristine: string;

  before(async () => {
    lab = await createLab(undefined, 3);
    const file = await readFile(lab.stackFile, "utf8");
    // Two of what visitors see, so that the loss of a host leaves one.
    pristine = setValue(file, ["config", "berth:services", "frontend"], { replicas: 2 });
    await writeFile(lab.stackFile, pristine);
    await lab.mustUp();
  });
  after(async () => {
    await lab.destroy();
  });

  // Whatever a failed test left: the next one finds three hosts that run, and the stack file of before.
  afterEach(async function () {
    if (this.currentTest?.state !== "failed") return;
    await writeFile(lab.stackFile, pristine);
    for (const host of ["host1", "host2", "host3"]) await lab.run("docker", "start", container(host));
    await eventually(async () => {
      await lab.mustUp();
    });
  });

  const container = (host: string): string => `berth-${lab.lab.name}-${host}`;
  const on = async (host: string, ...argv: string[]): Promise<string> => {
    const { code, stdout, stderr } = await lab.run("docker", "exec", container(host), ...argv);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  };
  const machine = async (verb: "kill" | "start", host: string): Promise<void> => {
    assert.equal((await lab.run("docker", verb, container(host))).code, 0);
  };
  const nodes = async (asked = "host1"): Promise<string[]> => {
    const format = "{{.Hostname}} {{.Status}} {{.Availability}} {{.ManagerStatus}}";
    return (await on(asked, "docker", "node", "ls", "--format", format)).split("\n").toSorted();
  };
  /** Rewrites the hosts of the stack file as it was first. */
  const edit = async (change: (hosts: readonly HostEntry[]) => readonly HostEntry[]): Promise<void> => {
    const { config } = parse(pristine) as { config: { "berth:hosts": HostEntry[] } };
    await writeFile(lab.stackFile, setValue(pristine, ["config", "berth:hosts"], change(config["berth:hosts"])));
  };
  const changes = async (): Promise<string[]> => {
    const { code, stdout, stderr } = await lab.pulumi("preview", "--json");
    assert.equal(code, 0, stderr);
    const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
    return steps
      .filter(({ op }) => op !== "same")
      .map(({ op, urn }) => `${op} ${urn.split("::").at(-1) ?? ""}`)
      .toSorted();
  };
  const status = async (): Promise<Status> => JSON.parse((await lab.berth("status", "--json")).stdout) as Status;
  const asPinned = async (): Promise<void> => {
    const { problems } = await status();
    if (problems.length > 0) throw new Error(problems.join("\n"));
  };
  const running = async (service: string, asked: string): Promise<string[]> => {
    const format = "{{.Node}} {{.CurrentState}}";
    const filter = ["--filter", "desired-state=running", "--format", format];
    const tasks = await on(asked, "docker", "service", "ps", ...filter, `palmistry-${service}`);
    return tasks.split("\n").flatMap((task) => (/ Running /.test(task) ? [task.split(" ")[0] ?? ""] : []));
  };
  const edge = (host: number) => {
    const port = lab.prepared.hosts[host]?.httpsPort ?? 0;
    return { url: `https://${lab.lab.domain}:${port}/`, connect: `127.0.0.1:${port}` };
  };

  it("is one swarm, of which a second up and a preview change nothing", async () => {
    assert.deepEqual(
      (await nodes()).map((line) => line.replace(/Leader|Reachable/, "manager")),
      ["host1", "host2", "host3"].map((name) => `${name} Ready Active manager`),
    );
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);
    assert.deepEqual(await status().then(({ problems }) => problems), []);
    const deep = await lab.berth("status", "--deep");
    assert.equal(deep.code, 0, deep.stdout + deep.stderr);
  });

  it("dials each host at most twice for an up that changes nothing", async () => {
    const hosts = ["host1", "host2", "host3"];
    const logins = async (): Promise<number[]> =>
      Promise.all(
        hosts.map(async (host) =>
          Number(await on(host, "sh", "-c", "journalctl --quiet -t sshd | grep -c 'Accepted publickey'")),
        ),
      );
    // Connections are kept for a moment; those of an earlier command do not count.
    await Promise.all(
      hosts.map(async (host) => lab.run("ssh", "-F", sshConfigPath(lab.lab.stack), "-O", "exit", host)),
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
    const token = await on("host1", "docker", "swarm", "join-token", "--quiet", "worker");
    assert.match(token, /^SWMTKN-/);
    assert.doesNotMatch(stdout, /SWMTKN-/);
  });

  it("keeps data and what uses it on the host that the stack file names", async () => {
    for (const service of ["postgres", "redis", "api", "worker"]) {
      assert.deepEqual([...new Set(await running(service, "host1"))], ["host3"], service);
    }
  });

  it("answers from the edge of every host, with a certificate that each got by itself", async () => {
    for (const { connect } of [edge(0), edge(1), edge(2)]) {
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
    await edit((hosts) =>
      hosts.map((host) =>
        host.name === "host2" ? { ...host, state: "drain", labels: { edge: "true", disk: "ssd" } } : host,
      ),
    );
    const previewed = await changes();
    assert.ok(previewed.includes(`delete dns-host2-${lab.lab.domain}`), previewed.join("\n"));
    assert.deepEqual(
      previewed.filter((step) => !step.startsWith("delete dns-")),
      ["update fleet-host2", "update fleet-host2-swarm"],
    );
    await lab.mustUp();
    assert.equal(await on("host2", "docker", "ps", "--quiet", "--filter", "label=com.docker.swarm.task"), "");
    assert.equal(await on("host1", "docker", "node", "inspect", "--format", "{{.Spec.Labels.disk}}", "host2"), "ssd");
    await asPinned();
    await writeFile(lab.stackFile, pristine);
    await lab.mustUp();
    await asPinned();
  });

  it("loses a host under load: the edge answers, status names it within 30 s, up works, and it comes back", async () => {
    const load = await startLoad({ ...edge(0), rate: 100, requests: 20_000, seconds: 300, connections: 50 });
    const lost = performance.now();
    await machine("kill", "host2");
    const seen = await status();
    assert.ok(performance.now() - lost < 30_000, "status takes too long");
    assert.equal(seen.asPinned, false);
    assert.ok(
      seen.problems.some((problem) => problem.startsWith("host host2: ")),
      seen.problems.join("\n"),
    );

    await eventually(async () => {
      assert.equal((await running("frontend", "host1")).filter((node) => node !== "host2").length, 2);
    });
    await lab.pin({ frontend: "palmistry-frontend:1.1.0" });
    const { stdout: said } = await lab.mustUp();
    assert.match(said, /warning: host host2 does not answer, and the swarm finds it down/);
    const result = await load.stop();
    assert.ok(result.failed / (result.ok + result.failed) < 0.02, JSON.stringify(result.reasons));
    assert.ok(result.bodies["1.1.0"] ?? result.ok > 0);

    await machine("start", "host2");
    await eventually(asPinned);
    await lab.reset();
  });

  it("loses the manager that leads: an up with a migration works through another one", async () => {
    await machine("kill", "host1");
    await lab.pin(TestLab.applications("1.1.0"));
    await lab.mustUp();
    const { connect } = edge(1);
    const load = await startLoad({
      url: `${lab.origin}/api/version`,
      connect,
      rate: 10,
      requests: 50,
      seconds: 20,
      connections: 5,
    });
    assert.deepEqual(Object.keys((await load.done).bodies), ["1.1.0"]);
    await machine("start", "host1");
    await eventually(asPinned);
    await lab.reset();
  });

  it("refuses hosts that do not answer while the swarm finds them ready, all at once, before anything changes", async () => {
    const before = await nodes();
    await edit((hosts) => [
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
    assert.deepEqual(await nodes(), before);
    await writeFile(lab.stackFile, pristine);
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);
  });

  it("removes a lost host without its help, and takes it back when it is clean", async () => {
    await machine("kill", "host2");
    await edit((hosts) =>
      hosts
        .filter(({ name }) => name !== "host2")
        .map((host) => (host.name === "host3" ? { ...host, role: "worker" } : host)),
    );
    await lab.mustUp();
    assert.deepEqual(
      (await nodes()).map((line) => line.trim()),
      ["host1 Ready Active Leader", "host3 Ready Active"],
    );
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);

    await machine("start", "host2");
    await eventually(async () => {
      await on("host2", "docker", "swarm", "leave", "--force");
    });
    await writeFile(lab.stackFile, pristine);
    await lab.mustUp();
    await asPinned();
    assert.equal((await nodes()).length, 3);
  });

  it("applies again what was changed on a host, by the name that the runbook gives", async () => {
    await on("host2", "sysctl", "--quiet", "--write", "net.ipv4.conf.all.accept_redirects=1");
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
    assert.equal((await lab.run("docker", "rm", "--force", "--volumes", container("host2"))).code, 0);
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

    await edit((hosts) => hosts.map((host) => (host.name === "host2" ? { ...host, hostKey } : host)));
    await lab.mustUp();
    await eventually(asPinned);
    assert.equal((await nodes()).length, 3);
    assert.equal((await lab.pulumi("preview", "--expect-no-changes")).code, 0);
    const deep = await lab.berth("status", "--deep");
    assert.equal(deep.code, 0, deep.stdout + deep.stderr);
    const load = { ...edge(1), rate: 5, requests: 5, seconds: 10, connections: 1 };
    assert.equal((await (await startLoad(load)).done).failed, 0, "its edge has a certificate again");
    pristine = await readFile(lab.stackFile, "utf8");
  });

  it("replaces the join tokens and keeps its hosts", async () => {
    const token = () => on("host1", "docker", "swarm", "join-token", "--quiet", "worker");
    const before = await token();
    await writeFile(lab.stackFile, setValue(pristine, ["config", "berth:swarm"], { joinTokens: 2 }));
    assert.deepEqual(await changes(), ["create fleet-join-tokens"]);
    await lab.mustUp();
    assert.notEqual(await token(), before);
    await asPinned();
  });
});
