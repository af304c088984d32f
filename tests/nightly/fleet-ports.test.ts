import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { addIpv6, Scanner } from "../support/scanner.ts";
import { FleetLab } from "./support/fleet.ts";

/** Where a service of the swarm is published on every host, which nobody outside is meant to see. */
const published = 8081;
const swarmTcp = [2377, 7946];
const swarmUdp = [4789, 7946];
const metricsPort = 9323;

/** Counts what has come past berth's own chain: a later one at the same hook sees nothing of what that drops. */
const probe = (outside: string, outside6: string, fleet: readonly string[]): string =>
  `table inet probe
delete table inet probe
table inet probe {
  counter outside { }
  counter fleet { }
  chain input {
    type filter hook input priority 10;
    ip saddr ${outside} udp dport { ${swarmUdp.join(", ")} } counter name outside
    ip6 saddr ${outside6} udp dport { ${swarmUdp.join(", ")} } counter name outside
    ip saddr { ${fleet.join(", ")} } udp dport { ${swarmUdp.join(", ")} } counter name fleet
  }
}
`;

describe("a fleet of three hosts, scanned from outside", function () {
  this.timeout(900_000);
  let fleet: FleetLab;
  let scanner: Scanner;
  /** IPv4 addresses by host, as the fleet and whoever sits beside it reach them. */
  let addresses: string[];
  let addresses6: string[];

  before(async () => {
    fleet = await FleetLab.shared();
    const { lab, prepared } = fleet.lab;
    addresses = prepared.hosts.map(({ address }) => address);
    scanner = await Scanner.start(lab, lab.root, (addresses[0] ?? "").replace(/\.\d+$/, ""));
    addresses6 = await Promise.all(fleet.hosts.map(async (host, index) => addIpv6(lab, host, 11 + index)));
    await publish();
    for (const host of fleet.hosts)
      await load(host, probe(scanner.address(addresses[0] ?? ""), scanner.address6, addresses));
  });
  after(async () => {
    await fleet.on("host1", "docker", "service", "rm", "probe");
    for (const host of fleet.hosts) await fleet.on(host, "nft", "delete", "table", "inet", "probe");
    await scanner.remove();
  });
  afterEach(async function () {
    await fleet.restoreAfter(this.currentTest);
  });

  const publish = async (): Promise<void> => {
    const { config } = parse(await readFile(fleet.lab.stackFile, "utf8")) as {
      config: { "berth:images": { frontend: string } };
    };
    const port = `mode=host,published=${published},target=3000`;
    const options = ["--detach=false", "--quiet", "--name", "probe", "--mode", "global", "--publish", port];
    const image = config["berth:images"].frontend;
    await fleet.on("host1", "docker", "service", "create", ...options, "--no-resolve-image", image);
  };
  const load = async (host: string, rules: string): Promise<void> => {
    await fleet.on(host, "sh", "-c", `nft --file - <<'END'\n${rules}END\n`);
  };
  const passed = async (host: string, from: "outside" | "fleet"): Promise<number> => {
    const said = await fleet.on(host, "nft", "list", "counter", "inet", "probe", from);
    return Number(/packets (\d+)/.exec(said)?.[1]);
  };
  /** On IPv4 all that is served; on IPv6 the lab's Docker publishes nothing, so the web is let in and not there. */
  const intended = { 22: "open", 80: "open", 443: "open" };
  const intended6 = { 22: "open", 80: "closed", 443: "closed" };

  it("shows SSH and the web on every host, on IPv4 and IPv6, and no port that a service publishes on all of them", async () => {
    for (const host of fleet.hosts)
      await fleet.on(host, "timeout", "5", "bash", "-c", `exec 3<>/dev/tcp/127.0.0.1/${published}`);
    const scans = fleet.hosts.map(async (host, index) => {
      const [four, six] = await Promise.all([
        scanner.ports(addresses[index] ?? ""),
        scanner.ports(addresses6[index] ?? ""),
      ]);
      assert.deepEqual([four, six], [intended, intended6], host);
    });
    await Promise.all(scans);
  });

  it("has the ports of the swarm open among the hosts, and lets nothing of it in from outside", async () => {
    for (const [index, host] of fleet.hosts.entries()) {
      const address = addresses[index] ?? "";
      const other = fleet.hosts[(index + 1) % fleet.hosts.length] ?? "";
      for (const port of swarmTcp)
        await fleet.on(other, "timeout", "5", "bash", "-c", `exec 3<>/dev/tcp/${address}/${port}`);
      const metrics = await fleet.on(other, "curl", "--silent", "--fail", `http://${address}:${metricsPort}/metrics`);
      assert.match(metrics, /^engine_daemon_engine_info\{/m, "Docker's own metrics");
      const before = await passed(host, "fleet");
      for (const port of swarmUdp) await fleet.on(other, "bash", "-c", `echo >/dev/udp/${address}/${port}`);
      assert.ok((await passed(host, "fleet")) >= before + swarmUdp.length, host);
      await scanner.sendUdp(address, swarmUdp);
      await scanner.sendUdp(addresses6[index] ?? "", swarmUdp);
      assert.equal(await passed(host, "outside"), 0, host);
    }
  });

  it("would show them all without its firewall", async () => {
    const [host = ""] = fleet.hosts;
    const [address = "", address6 = ""] = [addresses[0], addresses6[0]];
    const hidden = [...swarmTcp, metricsPort, published];
    await fleet.on(host, "nft", "delete", "table", "inet", "berth");
    try {
      const bare = await scanner.ports(address, hidden);
      assert.deepEqual(bare, Object.fromEntries(hidden.map((port) => [port, "open"])));
      await scanner.sendUdp(address, swarmUdp);
      await scanner.sendUdp(address6, swarmUdp);
      assert.ok((await passed(host, "outside")) >= 2 * swarmUdp.length, "datagrams from outside are seen");
    } finally {
      await fleet.on(host, "nft", "--file", "/etc/berth/firewall.nft");
    }
    assert.deepEqual(await scanner.ports(address, hidden), {});
  });
});
