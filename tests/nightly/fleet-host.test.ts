import assert from "node:assert/strict";
import type { PidsLimit } from "../../components/config/stack.ts";
import { renderGuarded } from "../../components/fleet/guarded.render.ts";
import { hostConcerns, renderCheck, type HostConcernsArgs } from "../../components/fleet/host.render.ts";
import { readAnswer, type Answer, type Facts } from "../../components/fleet/facts.ts";
import { renderFacts } from "../../components/fleet/facts.render.ts";
import { assessDeep, deepProblems } from "../../operations/deep.ts";
import { LabHost } from "../support/lab-host.ts";
import { concernsOf, prepareHost } from "../support/prepare-host.ts";
import { until } from "../support/until.ts";
import { sshConfigPath } from "../../components/fleet/ssh.render.ts";

describe("a single host, prepared by the scripts alone", function () {
  this.timeout(900_000);
  let machine: LabHost;
  let args: HostConcernsArgs;

  before(async () => {
    machine = await LabHost.start();
    args = concernsOf(machine);
  });
  after(async () => {
    await machine.remove();
  });

  const apply = async (): Promise<string> => prepareHost(machine, args);
  const differences = async (): Promise<string[]> => {
    const { stdout, stderr } = await machine.there(renderCheck(args), "check");
    return deepProblems(assessDeep("host1", { stdout, complaint: stderr }));
  };

  const answer = async (): Promise<Answer> => {
    const asked = { host: machine.host, encrypted: true, places: ["127.0.0.1:22", "127.0.0.1:1"] };
    const { code, stdout, stderr } = await machine.there(renderFacts(asked));
    return readAnswer(code, stdout, stderr);
  };
  const facts = async (): Promise<Facts> => {
    const given = await answer();
    assert.ok("facts" in given, JSON.stringify(given));
    return given.facts;
  };
  const failure = async (): Promise<string> => {
    const given = await answer();
    return "failure" in given ? given.failure : "none";
  };
  /** By the user's own shell, on a connection of its own. */
  const plainly = async (command: string) =>
    machine.here(`ssh -F ${sshConfigPath(machine.stack)} -o ControlPath=none -o ConnectTimeout=3 host1 ${command}`, "");

  it("says what it is, fresh from its installer", async () => {
    const { system, engine, addresses, unreached, foreignDaemon, nodes } = await facts();
    assert.deepEqual(
      [system, engine, unreached, foreignDaemon, nodes],
      ["debian 12", "none", ["127.0.0.1:1"], false, []],
    );
    assert.ok(addresses.includes(machine.host.privateAddress ?? ""), addresses.join());
  });

  it("loses its power while packages are installed, and is prepared by the next run all the same", async () => {
    const { access, engine } = hostConcerns(args);
    await machine.must(machine.here(renderGuarded(access), "apply"));
    const broken = machine.there(engine);
    await until("packages are unpacked but not set up", 300_000, async () =>
      (await machine.inside("sh", "-c", "dpkg --audit || [ $? -eq 1 ]")) === "" ? undefined : true,
    );
    await machine.cutPower();
    assert.notEqual((await broken).code, 0);
    assert.notEqual(
      await machine.inside("sh", "-c", "dpkg --audit || [ $? -eq 1 ]"),
      "",
      "it was interrupted half-way",
    );
    assert.match(await machine.must(machine.there(engine)), /^changed: installed/m);
    assert.equal(await machine.inside("sh", "-c", "dpkg --audit || [ $? -eq 1 ]"), "");
  });

  it("is prepared, and a second time nothing changes", async () => {
    assert.match(await apply(), /^changed: /m);
    assert.deepEqual((await facts()).engine, { swarm: "inactive", node: "" });
    assert.doesNotMatch(await apply(), /^changed: /m);
    assert.deepEqual(await differences(), []);
  });

  it("takes back by itself a firewall through which no new connection comes", async () => {
    const rules = async (): Promise<string> => machine.inside("nft", "list", "table", "inet", "berth");
    const before = await rules();
    const { firewall } = hostConcerns({ ...args, firewall: { ...args.firewall, ssh: ["198.18.0.0/24"] } });
    // One that would cut the connection is refused; so this one is told that it comes from somewhere else.
    const told = renderGuarded(firewall).replace(/client=\$\(.*\)/, "client=198.18.0.9");
    const { code, stderr } = await machine.here(told, "apply");
    assert.equal(code, 1);
    assert.match(stderr, /no new connection came through; within 60 s the change undoes itself/);
    assert.notEqual(await rules(), before);
    assert.notEqual((await plainly("true")).code, 0);
    await until("it answers again", 90_000, async () => ((await plainly("true")).code === 0 ? true : undefined));
    assert.equal(await rules(), before);
    assert.deepEqual(await differences(), []);
  });

  it("is prepared alike by a user who becomes root by sudo, and says who may not", async () => {
    const script = "useradd --create-home deploy && cp -r /root/.ssh /home/deploy/ && chown -R deploy: /home/deploy";
    await machine.inside("sh", "-c", script);
    const asRoot = machine;
    try {
      machine = await asRoot.reachedAs({ user: "nobody-here" });
      assert.deepEqual(await failure(), "refused");
      machine = await asRoot.reachedAs({ user: "deploy" });
      args = concernsOf(machine);
      const asked = await machine.here(
        `ssh -F ${sshConfigPath(machine.stack)} host1 sh -s <<'END'\n${renderFacts({ host: machine.host, encrypted: false, places: [] })}END\n`,
        "",
      );
      assert.deepEqual(readAnswer(asked.code, asked.stdout, asked.stderr), { failure: "not root", said: "" });
      const { code, stderr } = await machine.here(renderGuarded(hostConcerns(args).access), "apply");
      assert.equal(code, 1);
      assert.match(stderr, /deploy cannot become root by sudo without a password; put the line "deploy ALL=/);

      await machine.inside("sh", "-c", "echo 'deploy ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/berth");
      assert.match(await apply(), /^changed: deploy may use Docker$/m);
      assert.doesNotMatch(await apply(), /^changed: /m);
      assert.deepEqual(await differences(), []);
      assert.equal((await plainly("docker version")).code, 0);
    } finally {
      machine = await asRoot.reachedAs({});
      args = concernsOf(machine);
    }
    await apply();
    assert.deepEqual(await differences(), []);
  });

  describe("and its containers", () => {
    const run = async (script: string): Promise<string> => machine.must(machine.there(`set -eu\n${script}\n`));
    const limited = async (pidsLimit: PidsLimit): Promise<string> => {
      const { system } = hostConcerns({ ...args, docker: { source: "distribution", pidsLimit } });
      return machine.must(machine.there(system));
    };
    /** What the kernel says of containers, in either version of control groups. */
    const inForce = async (...names: string[]): Promise<string[]> => {
      const said = await run(`for name in ${names.join(" ")}; do
  pid=$(docker inspect --format '{{.State.Pid}}' "$name")
  group=$(sed -n 's/^[0-9]*:pids://p; s/^0:://p' "/proc/$pid/cgroup" | head -n 1)
  cat "/sys/fs/cgroup/pids$group/pids.max" 2>/dev/null || cat "/sys/fs/cgroup$group/pids.max"
done`);
      return said.trim().split("\n");
    };
    /** A container that begins so many processes, which all go on. */
    const fork = (count: number) =>
      machine.there(`docker run --rm tiny sh -c 'n=0; while [ $n -lt ${count} ]; do sleep 60 & n=$((n + 1)); done'`);

    before(async () => {
      await run(`libraries=$(ldd /bin/sh /bin/sleep | grep -o '/lib[^ ]*' | sort -u)
tar --create --dereference --directory / bin/sh bin/sleep $libraries 2>/dev/null | docker import - tiny >/dev/null
docker run --detach --name plain tiny sleep 600 >/dev/null
docker run --detach --name own --pids-limit 100 tiny sleep 600 >/dev/null`);
    });
    after(() => run("docker rm --force plain own >/dev/null; docker rmi tiny >/dev/null"));

    it("is refused what a container begins beyond its limit of processes", async () => {
      assert.deepEqual(await inForce("plain", "own"), ["4096", "100"]);
      await limited(256);
      assert.equal((await fork(200)).code, 0);
      const { code, stderr } = await fork(300);
      assert.notEqual(code, 0);
      assert.match(stderr, /Cannot fork/);
    });

    it("changes the limit of what runs, but for a limit of its own", async () => {
      assert.deepEqual(await inForce("plain", "own"), ["256", "100"]);
      assert.match(await limited(300), /^changed: .*docker-\.scope\.d/m);
      assert.deepEqual(await inForce("plain", "own"), ["300", "100"]);
      assert.match(await limited("none"), /^changed: no limit of processes$/m);
      const [free = ""] = await inForce("plain");
      assert.ok(free === "max" || Number(free) > 4096, free);
      await limited(4096);
      assert.deepEqual(await differences(), []);
    });

    it("is found out where somebody lifts the limit", async () => {
      const scope = "docker-$(docker inspect --format '{{.Id}}' plain).scope";
      await run(`systemctl set-property --runtime "${scope}" TasksMax=infinity`);
      assert.match((await differences()).join(), /processes: docker-\w+\.scope may have infinity processes, not 4096$/);
      await run("docker rm --force plain >/dev/null; docker run --detach --name plain tiny sleep 600 >/dev/null");
      assert.deepEqual(await inForce("plain"), ["4096"]);
      assert.deepEqual(await differences(), []);
    });

    it("leaves Docker its control groups while containers run, and says that they have no limit", async () => {
      if ((await run("ls /sys/fs/cgroup")).includes("cgroup.controllers")) {
        // In version 2 Docker has no others than systemd's, unless somebody asks for them.
        assert.doesNotMatch(await run("cat /etc/docker/daemon.json"), /cgroupdriver/);
        return;
      }
      await run(`sed -i '/native.cgroupdriver/d' /etc/docker/daemon.json
systemctl restart docker && docker start plain >/dev/null`);
      const { engine, system } = hostConcerns(args);
      assert.match(await machine.must(machine.there(engine)), /^unchanged: \/etc\/docker\/daemon\.json$/m);
      const said = await machine.must(machine.there(system));
      const cure = /^ {2}(sed -i '1a.*systemctl restart docker)$/m.exec(said)?.[1];
      assert.match(
        (await differences()).join(),
        /processes: no container has a limit.* driver is cgroupfs, not systemd/,
      );
      await run(`${cure}\ndocker start plain own >/dev/null`);
      assert.match(await machine.must(machine.there(engine)), /^unchanged: \/etc\/docker\/daemon\.json$/m);
      assert.deepEqual(await inForce("plain", "own"), ["4096", "100"]);
      assert.deepEqual(await differences(), []);
    });
  });

  // A suite of its own, since mocha runs suites after the tests beside them.
  describe("and its settings", () => {
    it("removes unused images by a program of its own", async () => {
      const said = await machine.must(
        machine.there("systemctl start berth-images.service && cat /var/lib/berth/images-used"),
      );
      assert.equal(said, "", "it has no image yet");
    });

    it("names every setting that somebody changed, and changes none of them itself", async () => {
      const spoil = `set -eu
echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/00-a.conf
nft add rule inet berth input tcp dport 8080 accept
sysctl --quiet --write net.ipv4.conf.all.accept_redirects=1
sed -i 's/"10m"/"99m"/' /etc/docker/daemon.json
apt-mark unhold docker.io >/dev/null
rm /etc/apt/apt.conf.d/60berth
rm /etc/systemd/system/docker-.scope.d/10-berth.conf
rm /etc/systemd/journald.conf.d/90-berth.conf
systemctl disable --quiet berth-images.timer
rm /etc/modprobe.d/60-berth.conf
chmod 644 /etc/ssh/sshd_config
sed -i '/^UMASK/d' /etc/login.defs
systemctl stop berth-integrity.timer
systemctl disable --quiet fail2ban
systemctl disable --quiet berth-firewall
`;
      await machine.must(machine.there(spoil));
      const seen = await differences();
      for (const one of [
        /access: sshd lacks "passwordauthentication no"/,
        /access: sshd has "passwordauthentication yes"/,
        /engine: \/etc\/docker\/daemon\.json has ".*99m/,
        /engine: docker\.io is not held at its version/,
        /sysctl: net\.ipv4\.conf\.all\.accept_redirects is 1, not 0/,
        /modules: \/etc\/modprobe\.d\/60-berth\.conf is missing/,
        /sessions: UMASK of \/etc\/login\.defs is unset, not 027/,
        /sessions: \/etc\/ssh\/sshd_config has mode 644, not 600/,
        /integrity: berth-integrity\.timer does not run/,
        /upgrades: \/etc\/apt\/apt\.conf\.d\/60berth is missing/,
        /processes: \/etc\/systemd\/system\/docker-\.scope\.d\/10-berth\.conf is missing/,
        /fail2ban: fail2ban is disabled, not enabled/,
        /journal: \/etc\/systemd\/journald\.conf\.d\/90-berth\.conf is missing/,
        /images: berth-images\.timer is disabled, not enabled/,
        /firewall: the firewall has "tcp dport 8080 accept"/,
        /firewall: berth-firewall\.service is disabled, not enabled/,
      ]) {
        assert.ok(
          seen.some((line) => one.test(line)),
          `${one.source} is not among\n${seen.join("\n")}`,
        );
      }
      assert.deepEqual(await differences(), seen, "a check changes nothing");
    });

    it("finds daily what was added and changed, and fails for a program that is not its package's", async () => {
      const compare = async () => machine.there("systemctl start berth-integrity 2>/dev/null || echo failed");
      const said = async () => machine.must(machine.there("journalctl --unit berth-integrity --output cat --lines 60"));
      assert.equal(await machine.must(compare()), "", "the first time there is nothing to compare with");
      await machine.must(machine.there("touch /usr/local/bin/stranger"));
      assert.equal(await machine.must(compare()), "");
      assert.match(await said(), /^f\+{10,}: \/usr\/local\/bin\/stranger$/m);
      await machine.must(machine.there("echo >>/usr/bin/apt-key"));
      assert.equal(await machine.must(compare()), "failed\n");
      assert.match(await said(), /not as their packages have them:\n\/usr\/bin\/apt-key$/m);
    });
  });
});
