import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../components/config/host.ts";
import { renderEngine, supportedSystems } from "../../components/fleet/engine.render.ts";
import type { Answer, Facts } from "../../components/fleet/facts.ts";
import { fingerprint } from "../../components/fleet/host-key.ts";
import { isUndecided, judge, type Judgement } from "../../components/fleet/preflight.judge.ts";
import { placesOf } from "../../components/fleet/preflight.machine.ts";
import { preflight } from "../../components/fleet/preflight.ts";
import { overlap } from "../../components/fleet/subnet.ts";
import { HostsError } from "../../components/shared/errors.ts";
import { parseImageRef } from "../../components/shared/image-ref.ts";
import { sampleConfig, sampleHostKey } from "../support/sample-config.ts";

const machine = (number: number, changes: Partial<Host> = {}): object => ({
  name: `vm-${number}`,
  address: `198.18.0.${number}`,
  privateAddress: `10.0.0.${number}`,
  hostKey: sampleHostKey,
  ...(number === 1 && { labels: { edge: "true" } }),
  ...changes,
});
const configWith = (hosts: readonly object[], changes: object = {}) => ({
  ...sampleConfig({
    "berth:hosts": JSON.stringify(hosts),
    "berth:volumes": JSON.stringify({ postgres: "vm-1", redis: "vm-1", uploads: "vm-1" }),
  }),
  environment: "production" as const,
  ...changes,
});
const three = configWith([machine(1), machine(2), machine(3)]);

/** A fresh machine that nothing is wrong with. */
const fresh = (number: number, changes: Partial<Facts> = {}): Answer => ({
  facts: {
    system: "debian 12",
    memory: 4_000_000,
    cores: 2,
    disks: [{ size: 40_000_000, free: 30_000_000, source: "/dev/vda1", path: "/" }],
    addresses: ["127.0.0.1", `198.18.0.${number}`, `10.0.0.${number}`],
    routes: [{ network: "10.0.0.0/24", device: "eth1" }],
    unreached: [],
    foreignDaemon: false,
    engine: "none",
    nodes: [],
    pools: [],
    ...changes,
  },
});
const silent: Answer = { failure: "silent", said: "ssh: connect to host 198.18.0.2 port 22: Connection timed out" };
const nodes = (...states: string[]) =>
  states.map((state, index) => ({ id: `node${index + 1}`, state, host: `vm-${index + 1}` }));
/** A manager of a swarm of three, whose nodes are as told. */
const manager = (number: number, states: string[], changes: Partial<Facts> = {}): Answer =>
  fresh(number, {
    engine: { swarm: "active", node: `node${number}` },
    nodes: nodes(...states),
    pools: ["10.201.0.0/16"],
    ...changes,
  });

const judged = (answers: Record<string, Answer>, config: typeof three = three): Judgement =>
  judge(config, new Map(Object.entries(answers)));
const problemsOf = (answers: Record<string, Answer>, config?: typeof three): string[] =>
  judged(answers, config).problems.map(({ path, message }) => `${path}: ${message}`);
/** What is wrong with the second of three machines. */
const wrong = (second: Answer, config?: typeof three): string[] =>
  problemsOf({ "vm-1": fresh(1), "vm-2": second, "vm-3": fresh(3) }, config);

describe("hosts before anything is changed", () => {
  it("finds nothing wrong with fresh machines, and with a swarm that works", () => {
    assert.deepEqual(judged({ "vm-1": fresh(1), "vm-2": fresh(2), "vm-3": fresh(3) }), { problems: [], warnings: [] });
    const all = ["ready", "ready", "ready"];
    assert.deepEqual(judged({ "vm-1": manager(1, all), "vm-2": manager(2, all), "vm-3": manager(3, all) }), {
      problems: [],
      warnings: [],
      manager: "vm-1",
    });
  });

  it("goes on with the manager that it talked to last", () => {
    const all = ["ready", "ready", "ready"];
    const answers = new Map([1, 2, 3].map((number) => [`vm-${number}`, manager(number, all)]));
    assert.equal(judge(three, answers, "vm-3").manager, "vm-3");
    answers.set("vm-3", fresh(3, { engine: { swarm: "active", node: "node3" } }));
    assert.equal(judge(three, answers, "vm-3").manager, "vm-1", "one that has lost the others knows nothing");
  });

  const refusals: readonly (readonly [what: string, answer: Answer, message: string])[] = [
    [
      "a machine that does not answer",
      silent,
      'berth:hosts[1].address: host vm-2 cannot be reached by SSH, got 198.18.0.2 port 22 ("ssh: connect to host 198.18.0.2 port 22: Connection timed out"); start the machine, correct address and port, or let this machine through the firewall in front of it',
    ],
    [
      "a port that nothing listens on",
      { failure: "silent", said: "Connection refused" },
      'berth:hosts[1].port: host vm-2 cannot be reached by SSH, got 198.18.0.2 port 22 ("Connection refused"); start the machine, correct address and port, or let this machine through the firewall in front of it',
    ],
    [
      "a name that DNS does not have",
      { failure: "no such name", said: "" },
      'berth:hosts[1].address: host vm-2 has an address that is no name in DNS, got "198.18.0.2"; write its IP, or add the record',
    ],
    [
      "another host key",
      { failure: "other key", said: "", offered: "SHA256:other" },
      `berth:hosts[1].hostKey: host vm-2 shows another host key than the pinned one, got SHA256:other for ${fingerprint(sampleHostKey)}; if it was set up anew, compare that with what its console says and paste the line of \`npm run berth -- host-key 198.18.0.2\`; if not, somebody may stand between you and it: change nothing, and ask who runs it`,
    ],
    [
      "a user or key that is refused",
      { failure: "refused", said: "root@198.18.0.2: Permission denied (publickey)." },
      'berth:hosts[1].user: host vm-2 does not let root in with the SSH key in use, got "root@198.18.0.2: Permission denied (publickey)."; put the public key into the user\'s ~/.ssh/authorized_keys on it, or write the user that has it',
    ],
    [
      "a private key that is none",
      { failure: "bad private key", said: "error in libcrypto" },
      'berth:sshKey: is not a private key that ssh can use, got "error in libcrypto"; paste the whole private key file, one without a passphrase: `pulumi config set --secret berth:sshKey`',
    ],
    [
      "a user who cannot become root",
      { failure: "not root", said: "" },
      'berth:hosts[1].user: host vm-2 does not let root become root by sudo without a password, got user "root"; put the line "root ALL=(ALL) NOPASSWD:ALL" into /etc/sudoers.d/berth on it, or use root',
    ],
    [
      "a user who may run nothing",
      { failure: "broken off", said: "Please login as the user ubuntu" },
      'berth:hosts[1].user: host vm-2 runs no commands for root, got "Please login as the user ubuntu"; log in by hand to see why; many images let another user than root run commands',
    ],
    [
      "a system that is not supported",
      fresh(2, { system: "fedora 41" }),
      'berth:hosts[1]: host vm-2 runs a system that is not supported, got "fedora 41"; use debian 12, debian 13, ubuntu 22.04 or ubuntu 24.04',
    ],
    [
      "a disk without room",
      fresh(2, { disks: [{ size: 40_000_000, free: 1_000_000, source: "/dev/vda1", path: "/var" }] }),
      "berth:hosts[1]: host vm-2 has too little room below /var, got 976 MB free; make room for 2048 MB",
    ],
    [
      "too small a machine",
      fresh(2, { memory: 500_000 }),
      "berth:hosts[1]: host vm-2 has less memory than system.machine.memory asks for, got 488.28 MB for 1 GB; use a larger machine",
    ],
    [
      "a kernel that cannot encrypt networks",
      fresh(2, { unencrypted: "Error: Requested AEAD algorithm not found." }),
      "berth:hosts[1]: host vm-2 cannot encrypt the networks between hosts, got \"Error: Requested AEAD algorithm not found.\"; use a kernel with ESP (Debian's and Ubuntu's have it, that of a container may not), or write berth:encryptNetworks: false where the network between the hosts is private",
    ],
    [
      "a Docker that somebody else set up",
      fresh(2, { foreignDaemon: true }),
      "berth:hosts[1]: host vm-2 has a Docker configuration that would be replaced, got /etc/docker/daemon.json; move it away, and Docker's data to /var/lib/docker if it names another place",
    ],
    [
      "a private address that is not its own",
      fresh(2, { addresses: ["127.0.0.1", "198.18.0.2", "10.0.1.2"] }),
      "berth:hosts[1].privateAddress: host vm-2 does not have this address, got 10.0.0.2, it has 198.18.0.2 and 10.0.1.2; write one of its own",
    ],
    [
      "a member of a swarm of which no manager answers",
      fresh(2, { engine: { swarm: "active", node: "abc" } }),
      'berth:hosts[1]: host vm-2 belongs to a swarm whose managers do not answer, got node abc; start more than half of its managers, or run "docker swarm leave --force" on it if that swarm is gone',
    ],
  ];
  for (const [what, answer, message] of refusals) {
    it(`rejects ${what}`, () => {
      assert.deepEqual(wrong(answer), [message]);
    });
  }

  it("goes on without a manager that is locked since its restart, and stops where all of them are", () => {
    const locked = (number: number): Answer => fresh(number, { engine: { swarm: "locked", node: "" } });
    const ready = manager(1, ["ready", "down", "ready"]);
    const one = judged({ "vm-1": ready, "vm-2": locked(2), "vm-3": manager(3, ["ready", "down", "ready"]) });
    assert.deepEqual(
      [one.problems, one.warnings, one.manager],
      [
        [],
        ['host vm-2 is locked since its restart and takes no part in the swarm; run "npm run berth -- unlock local"'],
        "vm-1",
      ],
    );
    const all = { "vm-1": locked(1), "vm-2": locked(2), "vm-3": locked(3) };
    assert.equal(isUndecided(three.hosts, new Map(Object.entries(all))), false);
    assert.deepEqual(
      problemsOf(all),
      [0, 1, 2].map(
        (index) =>
          `berth:hosts[${index}]: host vm-${index + 1} is locked since its restart, and no manager knows the swarm; ` +
          'run "npm run berth -- unlock local", then pulumi up again',
      ),
    );
  });

  it("rejects a machine that is smaller than the stack file or the system says, but for what a kernel keeps", () => {
    const config = configWith([machine(1), machine(2, { memory: "16 GB", cpus: 4, disk: "100 GB" }), machine(3)]);
    assert.deepEqual(wrong(fresh(2), config), [
      "berth:hosts[1].memory: host vm-2 has less memory than the stack file says, got 3.81 GB for 16 GB; write what it has, or use a larger machine",
      "berth:hosts[1].cpus: host vm-2 has fewer cores than the stack file says, got 2 for 4; write what it has, or use a larger machine",
      "berth:hosts[1].disk: host vm-2 has less room on its disks than the stack file says, got 38.15 GB for 100 GB; write what it has, or use a larger machine",
    ]);
    const sold = configWith([machine(1), machine(2, { memory: "4 GB", cpus: 2, disk: "40 GB" }), machine(3)]);
    assert.deepEqual(wrong(fresh(2), sold), []);
  });

  it("asks nothing of the size of a lab's machines", () => {
    const lab = { ...three, environment: "local" as const } as unknown as typeof three;
    assert.deepEqual(wrong(fresh(2, { memory: 100_000, cores: 1 }), lab), []);
  });

  it("rejects a fresh host that cannot reach what it needs, and warns of one that runs", () => {
    const unreached = ["ghcr.io:443"];
    const message =
      "host vm-2 cannot reach a service that it needs, got no connection to ghcr.io:443; let it out to there, or correct its DNS or routes";
    assert.deepEqual(wrong(fresh(2, { unreached })), [`berth:hosts[1]: ${message}`]);
    const all = ["ready", "ready", "ready"];
    const answers = { "vm-1": manager(1, all), "vm-2": manager(2, all, { unreached }), "vm-3": manager(3, all) };
    assert.deepEqual(judged(answers), { problems: [], warnings: [message], manager: "vm-1" });
  });

  it("knows what a host has to reach: its images' registries, and the authority where the edge runs", () => {
    const images = Object.fromEntries(
      ["ghcr.io/acme/api:1", "registry.test:5000/web:1", "docker.io/acme/api:1", "postgres:15", "acme/redis:7"].map(
        (ref) => [ref, parseImageRef(ref)],
      ),
    );
    const [edge, plain] = three.hosts;
    const hub = ["ghcr.io:443", "registry-1.docker.io:443", "registry.test:5000"];
    assert.deepEqual(placesOf({ images, acme: three.acme }, plain!), hub);
    assert.deepEqual(placesOf({ images, acme: three.acme }, edge!), [...hub, "pebble.test:443"].toSorted());
  });

  it("rejects a host of another swarm than the others'", () => {
    const all = ["ready", "ready", "ready"];
    assert.deepEqual(
      problemsOf({
        "vm-1": manager(1, all),
        "vm-2": fresh(2, { engine: { swarm: "active", node: "stranger" } }),
        "vm-3": manager(3, all),
      }),
      [
        'berth:hosts[1]: host vm-2 belongs to another swarm than vm-1, got node stranger; run "docker swarm leave --force" on it if that swarm is gone',
      ],
    );
  });

  it("rejects routes that leave no subnet to networks, or into those of the swarm that a host is to join", () => {
    const everywhere = [
      { network: "10.0.0.0/8", device: "eth1" },
      { network: "198.18.0.0/15", device: "eth0" },
    ];
    assert.deepEqual(
      wrong(fresh(2, { routes: everywhere }))[0]?.replace(/got .*; /, "got …; "),
      "berth:hosts: have routes to all subnets that networks could get, got …; free one of 10.201.0.0/16, 10.117.0.0/16, 10.59.0.0/16 or 198.18.0.0/16 on all hosts",
    );
    const vpn = [{ network: "10.201.7.0/24", device: "wg0" }];
    assert.deepEqual(
      problemsOf({ "vm-1": manager(1, ["ready"]), "vm-2": fresh(2, { routes: vpn }), "vm-3": fresh(3) }),
      [
        "berth:hosts[1]: host vm-2 has a route into the subnets of the swarm's networks, got 10.201.7.0/24 by wg0 for 10.201.0.0/16; take the route away, or give what is there other addresses",
      ],
    );
    const { problems, warnings } = judged({
      "vm-1": manager(1, ["ready"], { routes: [...vpn, { network: "10.201.8.0/24", device: "docker_gwbridge" }] }),
      "vm-2": fresh(2),
      "vm-3": fresh(3),
    });
    assert.deepEqual([problems, warnings.length], [[], 1], "a host that is in the swarm runs with it");
  });

  it("leaves a host alone that the swarm finds lost, and says so", () => {
    const seen = ["ready", "down", "ready"];
    assert.deepEqual(judged({ "vm-1": manager(1, seen), "vm-2": silent, "vm-3": manager(3, seen) }), {
      problems: [],
      warnings: [
        "host vm-2 does not answer, and the swarm finds it down: what runs goes on without it; what would change on it waits until it is back, or is taken out of the stack file",
      ],
      manager: "vm-1",
    });
  });

  it("rejects a silent host that the swarm finds ready, or does not know", () => {
    const [known] = problemsOf({ "vm-1": manager(1, ["ready", "ready", "ready"]), "vm-2": silent, "vm-3": fresh(3) });
    assert.match(
      known!,
      /^berth:hosts\[1\]\.address: host vm-2 cannot be reached by SSH, though the swarm finds it ready/,
    );
    const [stranger] = problemsOf({ "vm-1": manager(1, ["ready"]), "vm-2": silent, "vm-3": fresh(3) });
    assert.match(stranger!, /^berth:hosts\[1\]\.address: host vm-2 cannot be reached by SSH, got /);
  });

  it("rejects another key of a host, lost or not", () => {
    const seen = ["ready", "down", "ready"];
    const other: Answer = { failure: "other key", said: "" };
    assert.equal(problemsOf({ "vm-1": manager(1, seen), "vm-2": other, "vm-3": manager(3, seen) }).length, 1);
  });

  it("says once that a jump host has another key, with the line of its own", () => {
    const jump = { name: "bastion", address: "198.18.0.9", port: 2222, user: "jump", hostKey: sampleHostKey };
    const hosts = three.hosts.map((host) => ({ ...host, jump }));
    const answer: Answer = { failure: "other key of jump host", said: "", offered: "SHA256:other" };
    const told = judge({ ...three, hosts }, new Map(hosts.map(({ name }) => [name, answer]))).problems;
    assert.equal(told.length, 1);
    assert.equal(told[0]?.path, "berth:jumpHosts.bastion.hostKey");
    assert.match(told[0].message, /^shows another host key .* `npm run berth -- host-key 198\.18\.0\.9:2222`/);
    const behind: Answer = { ...answer, failure: "other key" };
    const [first] = judge({ ...three, hosts: [hosts[0]!] }, new Map([["vm-1", behind]])).problems;
    assert.match(first!.message, /host-key \S+ --stack \S+ --jump bastion`/);
  });

  it("waits for managers that have yet to agree, and for a swarm that has yet to notice", () => {
    const undecided = (answers: Record<string, Answer>) => isUndecided(three.hosts, new Map(Object.entries(answers)));
    const all = ["ready", "ready", "ready"];
    const leaderless = fresh(1, { engine: { swarm: "active", node: "node1" } });
    assert.equal(undecided({ "vm-1": leaderless, "vm-2": silent, "vm-3": fresh(3) }), true);
    const busy = fresh(1, { engine: "silent" });
    assert.equal(undecided({ "vm-1": busy, "vm-2": silent, "vm-3": fresh(3) }), true);
    assert.equal(undecided({ "vm-1": manager(1, all), "vm-2": silent, "vm-3": fresh(3) }), true);
    assert.equal(undecided({ "vm-1": manager(1, ["ready", "down"]), "vm-2": silent, "vm-3": fresh(3) }), false);
    assert.equal(undecided({ "vm-1": fresh(1), "vm-2": silent, "vm-3": fresh(3) }), false);
  });

  it("installs Docker on every system that it supports", () => {
    const script = renderEngine({ host: three.hosts[0]!, edge: true, registry: { address: "registry.test" } });
    for (const system of supportedSystems) assert.ok(script.includes(`'${system}'`), system);
  });
});

describe("the look before an up", () => {
  let home: string;
  let directory: string;
  before(() => {
    home = process.cwd();
    directory = mkdtempSync(join(tmpdir(), "berth-preflight-"));
    process.chdir(directory);
  });
  after(() => {
    process.chdir(home);
    rmSync(directory, { recursive: true });
  });

  it("reaches no host in a preview", async () => {
    await preflight(three, { preview: true, ask: () => Promise.reject(new Error("asked")) });
  });

  it("asks all at once, once each, and reports everything in one error", async () => {
    const asked: string[] = [];
    let open = 0;
    let together = 0;
    await assert.rejects(
      preflight(three, {
        preview: false,
        ask: async ({ name }) => {
          asked.push(name);
          together = Math.max(together, (open += 1));
          await Promise.resolve();
          open -= 1;
          return name === "vm-1" ? fresh(1, { system: "arch" }) : silent;
        },
      }),
      (error: unknown) => {
        assert.ok(error instanceof HostsError);
        assert.match(
          error.message,
          /^the hosts of stack "local" have 3 problems; nothing was changed:\n {2}- berth:hosts\[0\]: /,
        );
        assert.deepEqual(
          error.problems.map(({ path }) => path),
          ["berth:hosts[0]", "berth:hosts[1].address", "berth:hosts[2].address"],
        );
        return true;
      },
    );
    assert.deepEqual(asked.toSorted(), ["vm-1", "vm-2", "vm-3"]);
    assert.equal(together, 3);
  });

  it("asks those that answer again until the swarm has noticed what is lost, and talks to one of them", async () => {
    let rounds = 0;
    await preflight(three, {
      preview: false,
      ask: ({ name }) => {
        if (name === "vm-1") return Promise.resolve(silent);
        if (name === "vm-2") rounds += 1;
        const seen = [rounds < 2 ? "ready" : "down", "ready", "ready"];
        return Promise.resolve(manager(Number(name.at(-1)), seen));
      },
    });
    assert.equal(rounds, 2);
    assert.match(
      readFileSync(join(directory, ".berth/local/ssh_config"), "utf8"),
      /^Host manager\.swarm\n {2}HostName 198\.18\.0\.2$/m,
    );
  });
});

describe("subnets", () => {
  for (const [one, other, expected] of [
    ["10.0.0.0/8", "10.201.0.0/16", true],
    ["10.201.7.3", "10.201.0.0/16", true],
    ["198.18.0.0/15", "198.18.0.0/16", true],
    ["10.200.0.0/16", "10.201.0.0/16", false],
    ["192.168.0.0/16", "10.201.0.0/16", false],
    ["0.0.0.0/0", "10.201.0.0/16", true],
    ["128.0.0.0/1", "10.201.0.0/16", false],
  ] as const) {
    it(`${one} and ${other} ${expected ? "overlap" : "are apart"}`, () => {
      assert.equal(overlap(one, other), expected);
      assert.equal(overlap(other, one), expected);
    });
  }
});
