import assert from "node:assert/strict";
import { cloudflareRanges } from "../../components/cloudflare/ranges.ts";
import { renderGuarded } from "../../components/fleet/guarded.render.ts";
import { hostConcerns, renderCheck, type HostConcernsArgs } from "../../components/fleet/host.render.ts";
import { assessDeep, deepProblems } from "../../operations/deep.ts";
import { concernsOf } from "../support/prepare-host.ts";
import { LabHost } from "../support/lab-host.ts";

const further = "198.51.64.0/20";

describe("a host behind Cloudflare", function () {
  this.timeout(900_000);
  let machine: LabHost;
  let args: HostConcernsArgs;

  before(async () => {
    machine = await LabHost.start();
    args = concernsOf(machine, {
      firewall: { ssh: ["0.0.0.0/0", "::/0"], web: "cloudflare", http3: false },
      proxyRanges: cloudflareRanges,
      rangesApi: "http://127.0.0.1:8099/client/v4",
    });
    const { access, engine } = hostConcerns(args);
    await machine.must(machine.here(renderGuarded(access), "apply"));
    await machine.must(machine.there(engine));
    await apply();
  });
  after(async () => {
    await machine.remove();
  });

  const apply = async (): Promise<string> => {
    const { system, firewall } = hostConcerns(args);
    const said = [
      await machine.must(machine.there(system)),
      await machine.must(machine.here(renderGuarded(firewall), "apply")),
    ];
    return said.join("");
  };
  const root = (script: string): Promise<string> => machine.must(machine.there(`set -eu\n${script}\n`));
  const differences = async (): Promise<string[]> => {
    const { stdout, stderr } = await machine.there(renderCheck(args), "check");
    return deepProblems(assessDeep("host1", { stdout, complaint: stderr }));
  };
  const publish = async (networks: readonly string[]): Promise<void> => {
    const cidrs = (mark: string) => networks.filter((network) => network.includes(mark));
    const result = { ipv4_cidrs: cidrs("."), ipv6_cidrs: cidrs(":"), etag: "e" };
    const answer = JSON.stringify({ result, success: true, errors: [], messages: [] });
    await root(`mkdir -p /srv/client/v4; cat >/srv/client/v4/ips <<'END'\n${answer}\nEND`);
  };

  it("lets in the networks that Cloudflare publishes, by its own timer, and whoever looks finds that right", async () => {
    await publish([...cloudflareRanges, further]);
    const serve = "python3 -m http.server --bind 127.0.0.1 --directory /srv 8099";
    await root(`systemd-run --quiet --unit=api ${serve}
until python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8099))' 2>/dev/null; do sleep 0.1; done`);
    assert.equal((await root("systemctl is-active berth-ranges.timer")).trim(), "active");
    assert.doesNotMatch(await root("nft list set inet berth proxies4"), /198\.51\.64\.0\/20/);
    await root("systemctl start berth-ranges.service");
    assert.match(await root("nft list set inet berth proxies4"), /198\.51\.64\.0\/20/);
    assert.match(await root("cat /etc/berth/firewall.nft"), /198\.51\.64\.0\/20/, "at the next boot too");
    assert.deepEqual(await differences(), []);
    assert.doesNotMatch(await apply(), /^changed: /m, "a deploy keeps to what the host has heard");
  });

  it("keeps them when the answer cannot be believed, and says so", async () => {
    await publish(["0.0.0.0/0", "2400:cb00::/32"]);
    const { code } = await machine.there("systemctl start berth-ranges.service");
    assert.notEqual(code, 0);
    assert.match(await root("journalctl --unit berth-ranges --no-pager"), /cannot be Cloudflare's, got 0\.0\.0\.0\/0/);
    assert.match(await root("nft list set inet berth proxies4"), /198\.51\.64\.0\/20/);
    assert.match(await root("cat /var/lib/berth/metrics/ranges.prom"), /last_attempt_failed 1/);
  });

  it("forgets them when visitors no longer come through Cloudflare", async () => {
    args = { ...args, rangesApi: undefined, firewall: { ...args.firewall, web: "any" } };
    await apply();
    assert.deepEqual(await differences(), []);
    assert.doesNotMatch(await root("nft list table inet berth"), /proxies/);
    assert.equal(await root("find /etc/systemd/system /var/lib/berth -name '*ranges*'"), "");
  });
});
