import assert from "node:assert/strict";
import { renderMember } from "../../components/fleet/member.render.ts";
import { LabHost } from "../support/lab-host.ts";
import { prepareHost } from "../support/prepare-host.ts";
import { addIpv6, Scanner } from "../support/scanner.ts";

/** What lynis thinks of a host that was prepared; docs/security.md says what it finds besides, and why that stays. */
const leastIndex = 80;

interface Audit {
  readonly index: number;
  readonly warnings: readonly string[];
  readonly suggestions: readonly string[];
}

describe("a prepared host, seen by public scanners", function () {
  this.timeout(900_000);
  let machine: LabHost;
  let scanner: Scanner;
  let address6: string;
  let before_: Audit;

  before(async () => {
    machine = await LabHost.start();
    scanner = await Scanner.start(machine.lab, machine.repository, machine.address.replace(/\.\d+$/, ""));
    address6 = await addIpv6(machine.lab, machine.host.name, 11);
    await machine.inside(
      "sh",
      "-c",
      "apt-get update && apt-get install -y --no-install-recommends lynis busybox-static",
    );
    before_ = await audit();
    await prepareHost(machine);
    // Begun already: what it will compare with is there when it ends.
    await machine.inside("systemctl", "start", "berth-integrity");
    await machine.must(machine.here(renderMember({ stack: machine.stack, host: machine.host, first: true }), "join"));
  });
  after(async () => {
    await machine.remove();
  });

  const audit = async (): Promise<Audit> => {
    await machine.inside("sh", "-c", "lynis audit system --quick --quiet --no-colors || [ $? -eq 78 ]");
    const report = await machine.inside("cat", "/var/log/lynis-report.dat");
    const all = (key: string): string[] =>
      [...report.matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, one]) => one!);
    return {
      index: Number(all("hardening_index")[0]),
      warnings: all("warning\\[\\]"),
      suggestions: all("suggestion\\[\\]"),
    };
  };

  it(`has a lynis hardening index of ${leastIndex} at least, far above that of before, and no warning`, async () => {
    const { index, warnings, suggestions } = await audit();
    process.stderr.write(`    lynis: ${before_.index} before, ${index} after\n`);
    assert.ok(before_.index < leastIndex, `${before_.index} before: the bar says nothing`);
    assert.ok(index >= leastIndex, `${index}: ${suggestions.join("\n")}`);
    assert.deepEqual(warnings, []);
  });

  it("has an SSH server in which ssh-audit finds no failure", async () => {
    assert.deepEqual(await scanner.sshFailures(machine.address), []);
  });

  it("shows its neighbours SSH, and the web once somebody serves it, on IPv4 and IPv6 alike", async () => {
    const silent = { 22: "open", 80: "closed", 443: "closed" };
    for (const address of [machine.address, address6]) assert.deepEqual(await scanner.ports(address), silent, address);
  });

  it("shows no port that a container or a service of the swarm publishes, until the firewall is gone", async () => {
    const image = `tar -C /bin -c busybox | docker import --change 'ENTRYPOINT ["/busybox"]' - listener >/dev/null`;
    const listen = (port: number) => `listener httpd -f -p ${port}`;
    await machine.inside(
      "sh",
      "-c",
      [
        image,
        `docker run --detach --publish 8080:8080 ${listen(8080)}`,
        `docker run --detach --publish 443:8443 ${listen(8443)}`,
        `docker run --detach --network host ${listen(8082)}`,
        `docker service create --detach=false --name published --publish mode=host,published=8081,target=8081 ${listen(8081)}`,
      ].join(" && "),
    );
    const published = { 22: "open", 80: "closed", 443: "open" };
    assert.deepEqual(await scanner.ports(machine.address), published);
    // The lab's Docker publishes on IPv4 alone; what listens on the host's own network does on both.
    assert.deepEqual(await scanner.ports(address6), { ...published, 443: "closed" });
    await machine.inside("nft", "delete", "table", "inet", "berth");
    const bare = await scanner.ports(machine.address);
    for (const port of [2377, 7946, 8080, 8081, 8082])
      assert.equal(bare[port], "open", `${port} is there to be hidden`);
  });
});
