import assert from "node:assert/strict";
import { renderGuarded } from "../../components/fleet/guarded.render.ts";
import { hostConcerns, renderCheck, type HostConcernsArgs } from "../../components/fleet/host.render.ts";
import { assessDeep, deepProblems } from "../../operations/deep.ts";
import { LabHost } from "../support/lab-host.ts";

describe("a single host, prepared by the scripts alone", function () {
  this.timeout(900_000);
  let machine: LabHost;
  let args: HostConcernsArgs;

  before(async () => {
    machine = await LabHost.start();
    args = {
      stack: machine.stack,
      host: machine.host,
      hosts: [machine.host],
      registry: { address: "registry.test:5000" },
      firewall: { ssh: ["0.0.0.0/0", "::/0"], web: "any", http3: false },
      dnsChallenges: false,
      proxyRanges: [],
      rangesApi: undefined,
    };
  });
  after(async () => {
    await machine.remove();
  });

  const apply = async (): Promise<string> => {
    const { access, engine, system, firewall } = hostConcerns(args);
    const said = [
      await machine.must(machine.here(renderGuarded(access), "apply")),
      await machine.must(machine.there(engine)),
      await machine.must(machine.there(system)),
      await machine.must(machine.here(renderGuarded(firewall), "apply")),
    ];
    return said.join("");
  };
  const differences = async (): Promise<string[]> => {
    const { stdout, stderr } = await machine.there(renderCheck(args), "check");
    return deepProblems(assessDeep("host1", { stdout, complaint: stderr }));
  };

  it("is prepared, and a second time nothing changes", async () => {
    assert.match(await apply(), /^changed: /m);
    assert.doesNotMatch(await apply(), /^changed: /m);
    assert.deepEqual(await differences(), []);
  });

  it("names every setting that somebody changed, and changes none of them itself", async () => {
    const spoil = `set -eu
echo 'PasswordAuthentication yes' >/etc/ssh/sshd_config.d/00-a.conf
nft add rule inet berth input tcp dport 8080 accept
sysctl --quiet --write net.ipv4.conf.all.accept_redirects=1
sed -i 's/"10m"/"99m"/' /etc/docker/daemon.json
apt-mark unhold docker.io >/dev/null
rm /etc/apt/apt.conf.d/60berth
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
      /upgrades: \/etc\/apt\/apt\.conf\.d\/60berth is missing/,
      /fail2ban: fail2ban is disabled, not enabled/,
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
});
