import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { DockerEngine } from "../../components/config/stack.ts";
import type { VersionChange } from "../../components/fleet/docker-packages.render.ts";
import { renderEngine } from "../../components/fleet/engine.render.ts";
import { renderProcesses } from "../../components/fleet/processes.render.ts";

/* What the script installs on each system, run for real with package commands that only note how they were called. */

const key = "the key of Docker's repository";
/** Systems by what /etc/os-release says of them. */
const systems = {
  "debian 12": "bookworm",
  "debian 13": "trixie",
  "ubuntu 22.04": "jammy",
  "ubuntu 24.04": "noble",
} as const;
const offered: Readonly<Record<string, string>> = {
  "docker.io": "20.10.24+dfsg1-1+deb12u1",
  "docker-cli": "20.10.24+dfsg1-1+deb12u1",
  "docker-ce": "5:27.3.1-1~debian.12~bookworm 5:27.3.10-1~debian.12~bookworm",
  "docker-ce-cli": "5:27.3.1-1~debian.12~bookworm",
};

interface Machine {
  readonly system: string;
  readonly docker?: Pick<DockerEngine, "source" | "version">;
  /** Packages that are there, with their versions. */
  readonly present?: Readonly<Record<string, string>>;
  readonly running?: number;
  /** How many of them are the swarm's. */
  readonly tasks?: number;
  readonly change?: VersionChange;
  readonly givenKey?: string;
  /** Version of its control groups. */
  readonly cgroups?: 1 | 2;
  /** What berth wrote for Docker before. */
  readonly daemon?: string;
  /** What dpkg says is wanted of packages, and what they are: `hold installed`. */
  readonly selections?: Readonly<Record<string, string>>;
}

function run(
  {
    system,
    docker,
    present = {},
    running = 0,
    tasks = 0,
    change,
    givenKey = key,
    cgroups = 2,
    daemon,
    selections = {},
  }: Machine,
  verb = "",
) {
  const root = mkdtempSync(join(tmpdir(), "berth-engine-"));
  try {
    const at = (path: string): string => join(root, path);
    const put = (path: string, text: string, mode = 0o644): void => {
      mkdirSync(dirname(at(path)), { recursive: true });
      writeFileSync(at(path), text, { mode });
    };
    const [id = "", version = ""] = system.split(" ");
    const codename = (systems as Readonly<Record<string, string>>)[system] ?? "none";
    put("etc/os-release", `ID=${id}\nVERSION_ID="${version}"\nVERSION_CODENAME=${codename}\n`);
    put("calls", "");
    if (cgroups === 2) put("sys/fs/cgroup/cgroup.controllers", "pids\n");
    if (daemon !== undefined) {
      put("etc/docker/daemon.json", daemon);
      put("var/lib/berth/owns-daemon.json", "");
    }
    const packages = Object.keys(present).map((name) => `installed:${name} `);
    const versions = Object.entries(present).map(([name, found]) => `*Version*' ${name} '*) echo '${found}' ;;`);
    const madison = Object.entries(offered).map(
      ([name, found]) => `*" ${name} "*) for one in ${found}; do echo "${name} | $one | archive"; done ;;`,
    );
    const wanted = Object.entries(selections).map(([name, found]) => `*Want*' ${name} '*) printf '${found}' ;;`);
    const programs: Readonly<Record<string, string>> = {
      "apt-get": "",
      "apt-cache": `case " $* " in ${madison.join(" ")} esac`,
      "dpkg-query": `case " $* " in *':\${Package}'*) printf '${packages.join("")}' ;; ${wanted.join(" ")} ${versions.join(" ")} *Version*) exit 1 ;; esac`,
      dpkg: `case $1 in --set-selections) sed 's/^/selected: /' >>${at("calls")} ;; *) echo amd64 ;; esac`,
      docker: `case "$*" in ps*label=com.docker.swarm.task*) seq ${tasks} ;; ps*) seq ${running} ;; esac`,
      systemctl: "echo enabled",
      curl: `for word; do [ "$before" != --output ] || printf %s ${JSON.stringify(givenKey)} >"$word"; before=$word; done`,
    };
    for (const [name, body] of Object.entries(programs)) {
      put(`bin/${name}`, `#!/bin/sh\nbefore=\necho "${name} $*" >>${at("calls")}\n${body}\n`, 0o755);
    }
    const script = renderEngine({
      host: { name: "vm-1", user: "root" },
      edge: false,
      registry: { address: "registry.test" },
      ...(docker && { docker }),
      ...(change && { change }),
    })
      .replaceAll(/(?<=[ ="'])\/(etc|var\/lib|run|sys)\//g, `${root}/$1/`)
      .replaceAll("1500c1f56fa9e26b9b8f42452a553675796ade0807cdce11975eb98170b3a570", sum(key))
      .replace(/^PATH=.*$/m, `PATH=${at("bin")}:/usr/bin:/bin`);
    const { status, stdout, stderr } = spawnSync("sh", ["-s", verb], { input: script, encoding: "utf8" });
    const calls = readFileSync(at("calls"), "utf8");
    const list = at("etc/apt/sources.list.d/docker.list");
    return {
      code: status,
      out: stdout,
      err: stderr,
      calls,
      installed: /apt-get install .*confold (.*)/.exec(calls)?.[1]?.split(" ") ?? [],
      daemon: existsSync(at("etc/docker/daemon.json")) ? readFileSync(at("etc/docker/daemon.json"), "utf8") : "",
      list: existsSync(list) ? readFileSync(list, "utf8").split("\n")[1]!.replaceAll(root, "") : undefined,
    };
  } finally {
    rmSync(root, { recursive: true });
  }
}

const sum = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("the script that installs Docker", () => {
  const ofDistribution: Readonly<Record<string, string[]>> = {
    "debian 12": ["docker.io"],
    "debian 13": ["docker.io", "docker-cli"],
    "ubuntu 22.04": ["docker.io"],
    "ubuntu 24.04": ["docker.io"],
  };
  for (const [system, codename] of Object.entries(systems)) {
    const [id = ""] = system.split(" ");
    const ofDocker = (packages: readonly string[]) => packages.filter((one) => /^(docker|containerd)/.test(one));

    it(`installs the distribution's on ${system}`, () => {
      const { code, err, installed, list } = run({ system });
      assert.equal(code, 0, err);
      assert.deepEqual(ofDocker(installed), ofDistribution[system]);
      assert.equal(list, undefined);
      for (const needed of ["aide", "auditd", "fail2ban", "libpam-pwquality", "nftables", "unattended-upgrades"]) {
        assert.ok(installed.includes(needed), needed);
      }
    });

    it(`installs Docker's own on ${system}, in the version that is asked for`, () => {
      const { code, err, installed, list } = run({ system, docker: { source: "docker", version: "27.3.1" } });
      assert.equal(code, 0, err);
      assert.deepEqual(ofDocker(installed), [
        "docker-ce=5:27.3.1-1~debian.12~bookworm",
        "docker-ce-cli=5:27.3.1-1~debian.12~bookworm",
        "containerd.io",
      ]);
      const place = `https://download.docker.com/linux/${id} ${codename} stable`;
      assert.equal(list, `deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] ${place}`);
    });
  }

  describe("and the control groups of containers", () => {
    const asked = /^\{\n {2}"exec-opts": \["native\.cgroupdriver=systemd"\],\n {2}"log-driver"/;
    const one = { system: "debian 12", cgroups: 1 } as const;
    const { daemon: without } = run({ system: "debian 12" });
    const { daemon: withSystemd } = run(one);

    it("leaves to Docker in version 2, and in version 1 asks for systemd's", () => {
      assert.doesNotMatch(without, /exec-opts/);
      assert.match(withSystemd, asked);
      JSON.parse(withSystemd);
    });

    it("changes no driver under containers that run, and keeps the one it asked for", () => {
      assert.equal(run({ ...one, daemon: without, running: 1 }).daemon, without);
      assert.match(run({ ...one, daemon: without }).daemon, asked);
      assert.equal(run({ ...one, daemon: withSystemd, running: 1 }).daemon, withSystemd);
    });

    it("keeps what the command that its warning shows makes of the file", () => {
      const script = renderProcesses({ host: { name: "vm-1" }, pidsLimit: 4096 });
      const command = /^ {2}(sed -i .*) \/etc\/docker\/daemon\.json && systemctl restart docker$/m.exec(script)![1]!;
      const { stdout } = spawnSync("sh", ["-c", command.replace(" -i", "")], { input: without, encoding: "utf8" });
      assert.equal(stdout, withSystemd);
    });
  });

  it("refuses another system", () => {
    const { code, err, calls } = run({ system: "debian 11" });
    assert.equal(code, 1);
    assert.match(err, /host vm-1: engine: the operating system is not supported, got debian 11; use Debian 12 or 13/);
    assert.doesNotMatch(calls, /apt-get/);
  });

  const pinned = { source: "distribution", version: "20.10.24" } as const;
  const there = { "docker.io": "20.10.24+dfsg1-1+deb12u1" };

  it("installs the distribution's in the version that is asked for, and leaves it alone when it is there", () => {
    const { installed } = run({ system: "debian 12", docker: pinned });
    assert.ok(installed.includes("docker.io=20.10.24+dfsg1-1+deb12u1"), installed.join(" "));
    const again = run({ system: "debian 12", docker: pinned, present: there });
    assert.match(again.out, /^unchanged: Docker 20\.10\.24\+dfsg1/m);
    assert.doesNotMatch(again.installed.join(" "), /docker/);
  });

  it("takes no longer number for the wanted version, and names what there is when that is not among it", () => {
    const docker = { ...pinned, version: "20.10.2" };
    const { code, err } = run({ system: "debian 12", docker });
    assert.equal(code, 1);
    assert.match(
      err,
      /there is no docker\.io 20\.10\.2, got 20\.10\.24\+dfsg1-1\+deb12u1; write one of these as berth:docker\.version/,
    );
  });

  it("changes the version only where no container runs, and says in a check that it is another", () => {
    const other = { system: "debian 12", docker: pinned, present: { "docker.io": "20.10.5+dfsg1" } };
    const busy = run({ ...other, running: 3 });
    assert.equal(busy.code, 1);
    assert.match(
      busy.err,
      /Docker is 20\.10\.5\+dfsg1, not 20\.10\.24, and to change that would stop .*, got 3 running/,
    );
    assert.doesNotMatch(busy.calls, /allow-downgrades/);
    const idle = run(other);
    assert.equal(idle.code, 0, idle.err);
    assert.match(idle.calls, /--allow-downgrades docker\.io=20\.10\.24\+dfsg1-1\+deb12u1/);
    const checked = run(other, "check");
    assert.match(checked.out, /^differs: Docker is 20\.10\.5\+dfsg1, not 20\.10\.24$/m);
    assert.doesNotMatch(checked.calls, /apt-get|allow-downgrades/);
  });

  it("leaves the version of one among several hosts alone until that is drained", () => {
    const other = { system: "debian 12", docker: pinned, present: { "docker.io": "20.10.5+dfsg1" } };
    const busy = run({ ...other, change: "later", running: 3, tasks: 2 });
    assert.equal(busy.code, 0, busy.err);
    assert.match(busy.out, /^unchanged: Docker 20\.10\.5\+dfsg1, until this host is drained$/m);
    assert.doesNotMatch(busy.calls, /allow-downgrades/);
    assert.match(
      run({ ...other, change: "later" }).calls,
      /--allow-downgrades docker\.io=20\.10\.24/,
      "it runs nothing",
    );

    const draining = run({ ...other, change: "drained", running: 3, tasks: 2 });
    assert.equal(draining.code, 1);
    assert.match(draining.err, /to change that would stop tasks of the swarm, got 2 running; see docker node ps/);
    const drained = run({ ...other, change: "drained", running: 1 });
    assert.equal(drained.code, 0, drained.err);
    assert.match(drained.calls, /--allow-downgrades docker\.io=20\.10\.24\+dfsg1-1\+deb12u1/);
  });

  it("holds what is installed of Docker at its version, once, and says in a check what is not held", () => {
    const selections = { "docker.io": "install installed", containerd: "hold installed" };
    const { code, err, out, calls } = run({ system: "debian 12", selections });
    assert.equal(code, 0, err);
    assert.match(calls, /^selected: docker\.io hold$/m);
    assert.match(out, /changed: docker\.io is held at its version/);
    assert.doesNotMatch(calls, /containerd hold/);
    const check = run({ system: "debian 12", selections }, "check");
    assert.match(check.out, /docker\.io is not held at its version/);
    assert.doesNotMatch(check.calls, /selected/);
    assert.doesNotMatch(
      run({ system: "debian 12", selections: { "docker.io": "hold config-files" } }).calls,
      /selected/,
    );
  });

  it("uses nothing of a repository whose key is a stranger's", () => {
    const docker = { source: "docker" } as const;
    const { code, err, calls, list } = run({ system: "debian 12", docker, givenKey: "a stranger's" });
    assert.equal(code, 1);
    assert.match(err, /the key of Docker's repository is not the one that is known, got [0-9a-f]{64}/);
    assert.equal(list, undefined);
    assert.doesNotMatch(calls, /install .*docker-ce/);
  });

  it("refuses Docker's own where the distribution's is, and takes Docker's own where either is asked for", () => {
    const refused = run({ system: "debian 12", docker: { source: "docker" }, present: there });
    assert.match(refused.err, /Docker is the distribution's here; write docker: \{ source: distribution \}/);
    const taken = run({ system: "debian 12", present: { "docker-ce": "5:27.3.1-1~debian.12~bookworm" } });
    assert.doesNotMatch(taken.installed.join(" "), /docker/);
  });
});
