import assert from "node:assert/strict";
import type { DockerEngine } from "../../components/config/stack.ts";
import type { Repository, VersionChange } from "../../components/fleet/docker-packages.render.ts";
import { renderEngine } from "../../components/fleet/engine.render.ts";
import { renderGuarded } from "../../components/fleet/guarded.render.ts";
import { hostConcerns } from "../../components/fleet/host.render.ts";
import { AptRepository } from "../support/apt-repository.ts";
import { LabHost, type Outcome } from "../support/lab-host.ts";
import { concernsOf } from "../support/prepare-host.ts";

const [first, next] = ["27.3.1", "27.4.0"];

// Docker's own repository cannot be had everywhere; what this shows is apt's side and the script's.
describe("Docker from a repository of its own, here a stand-in with the distribution's Docker in it", function () {
  this.timeout(900_000);
  let machine: LabHost;
  let repository: AptRepository;

  before(async () => {
    machine = await LabHost.start();
    await machine.must(machine.here(renderGuarded(hostConcerns(concernsOf(machine)).access), "apply"));
    repository = await AptRepository.start(machine, [first, next]);
  });
  after(async () => {
    await machine.remove();
  });

  const script = (version: string, from: Repository = repository, change: VersionChange = "idle"): string => {
    const docker: DockerEngine = { source: "docker", version, pidsLimit: 4096 };
    return renderEngine({
      host: machine.host,
      edge: false,
      registry: { address: "registry.test:5000" },
      docker,
      repository: { address: from.address, sha256: from.sha256 },
      change,
    });
  };
  const run = async (version: string, from?: Repository, change?: VersionChange): Promise<Outcome> =>
    machine.there(script(version, from, change));
  const differences = async (version: string): Promise<string> => machine.must(machine.there(script(version), "check"));
  const root = async (text: string): Promise<string> => machine.must(machine.there(`set -eu\n${text}\n`));
  const installed = async (): Promise<string[]> => {
    const said = await root("dpkg-query --show --showformat '${db:Status-Status} ${Package} ${Version}\\n'");
    return said.split("\n").flatMap((line) => /^installed ((?:docker|containerd).*)/.exec(line)?.[1] ?? []);
  };
  const of = (version: string): string[] => [
    "containerd.io 1.7.0-1",
    `docker-ce 5:${version}-1~debian.12~bookworm`,
    `docker-ce-cli 5:${version}-1~debian.12~bookworm`,
  ];

  it("is not taken when the repository gives out another key than the known one", async () => {
    await repository.sign("docker");
    const { code, stderr } = await run(first, { address: repository.address, sha256: "0".repeat(64) });
    assert.equal(code, 1);
    assert.match(
      stderr,
      /the key of Docker's repository is not the one that is known, got [0-9a-f]{64}.*nothing of it/,
    );
    assert.equal(await root("find /etc/apt -name 'docker*'"), "");
    assert.deepEqual(await installed(), []);
  });

  it("is not taken when the list of packages is signed by somebody else", async () => {
    await repository.sign("stranger");
    const { code, stderr } = await run(first);
    assert.equal(code, 1);
    assert.match(stderr, /apt-get failed, got: .*NO_PUBKEY/s);
    assert.deepEqual(await installed(), []);
  });

  it("is installed in the version that is asked for, though there is a newer one, and held", async () => {
    await repository.sign("docker");
    const { code, stdout, stderr } = await run(first);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^changed: installed/m);
    assert.deepEqual(await installed(), of(first));
    assert.equal(await root("apt-mark showhold"), "containerd.io\ndocker-ce\ndocker-ce-cli\n");
    const metrics = await root(`curl --silent --fail http://${machine.address}:9323/metrics`);
    assert.match(metrics, /^engine_daemon_engine_info\{/m, "it runs as configured");
    assert.doesNotMatch(await machine.must(run(first)), /^changed: /m);
    const looked = await differences(first);
    assert.doesNotMatch(looked, /^differs: /m);
    assert.match(looked, /^unchanged: Docker 5:27\.3\.1-1~debian\.12~bookworm$/m);
  });

  it("stays as it is when the machine updates itself", async () => {
    const upgrade = await root("apt-get update >/dev/null; apt-get --simulate dist-upgrade");
    assert.match(upgrade, /kept back:\n[^]*docker-ce/);
    assert.doesNotMatch(upgrade, /^Inst docker-ce/m);
  });

  it("keeps its version while containers run, and says what stands in the way", async () => {
    await root(`apt-get install --yes --no-install-recommends busybox-static >/dev/null
tar -C /bin -c busybox | docker import --change 'ENTRYPOINT ["/busybox"]' - busybox >/dev/null
docker run --detach --name work busybox sleep 3600 >/dev/null`);
    const { code, stderr } = await run(next);
    assert.equal(code, 1);
    assert.match(stderr, /Docker is 5:27\.3\.1\S*, not 27\.4\.0, and to change that would stop .*, got 1 running/);
    assert.deepEqual(await installed(), of(first));
    assert.match(await differences(next), /^differs: Docker is 5:27\.3\.1-1~debian\.12~bookworm, not 27\.4\.0$/m);
  });

  it("is brought to another version, newer or older, where none runs, and held at that", async () => {
    await root("docker rm --force work");
    for (const version of [next, first]) {
      const { code, stdout, stderr } = await run(version);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^changed: Docker ${version}$`, "m"));
      assert.deepEqual(await installed(), of(version));
      assert.equal(await root("apt-mark showhold"), "containerd.io\ndocker-ce\ndocker-ce-cli\n");
      assert.equal(await root("docker run --rm busybox echo runs"), "runs\n");
    }
  });

  it("is brought to another version on a host of several once the swarm has left it, and what else runs comes back", async () => {
    await root(`docker swarm init --advertise-addr ${machine.address} >/dev/null
docker run --detach --name edge --restart unless-stopped busybox sleep 3600 >/dev/null
docker service create --quiet --detach=false --no-resolve-image --name web busybox sleep 3600 >/dev/null`);
    const busy = await run(next, undefined, "later");
    assert.equal(busy.code, 0, busy.stderr);
    assert.match(busy.stdout, /^unchanged: Docker 5:27\.3\.1\S*, until this host is drained$/m);
    const early = await run(next, undefined, "drained");
    assert.equal(early.code, 1);
    assert.match(early.stderr, /to change that would stop tasks of the swarm, got 1 running/);

    await root(`docker node update --availability drain "$(docker info --format '{{.Swarm.NodeID}}')" >/dev/null
until [ -z "$(docker ps --quiet --filter label=com.docker.swarm.task)" ]; do sleep 0.1; done`);
    const { code, stderr } = await run(next, undefined, "drained");
    assert.equal(code, 0, stderr);
    assert.deepEqual(await installed(), of(next));
    assert.equal(await root("docker inspect --format '{{.State.Running}}' edge"), "true\n");
    assert.match(await root("docker node ls --format '{{.Status}} {{.Availability}}'"), /^Ready Drain$/m);
    assert.match(await machine.must(run(next, undefined, "later")), /^unchanged: Docker 5:27\.4\.0/m);
  });
});
