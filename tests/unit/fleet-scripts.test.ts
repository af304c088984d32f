import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { access } from "../../components/fleet/access.render.ts";
import { renderAutolock } from "../../components/fleet/autolock.render.ts";
import { firewall as firewallOf, type FirewallArgs } from "../../components/fleet/firewall.render.ts";
import { renderGuarded } from "../../components/fleet/guarded.render.ts";
import { renderSystem, systemScripts } from "../../components/fleet/system.render.ts";
import { renderFarewell } from "../../components/fleet/farewell.render.ts";
import { renderMember } from "../../components/fleet/member.render.ts";
import { renderJoinTokens } from "../../components/fleet/tokens.render.ts";
import type { Host } from "../../components/config/host.ts";
import { renderEngine } from "../../components/fleet/engine.render.ts";
import { hostConcerns, type HostConcernsArgs } from "../../components/fleet/host.render.ts";
import { asRoot, looks, place, renderScript, rootShell } from "../../components/fleet/script.ts";
import { golden } from "../support/golden.ts";
import { checkScript } from "../support/shell.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBerth";
const root: Host = {
  name: "web-1",
  address: "203.0.113.7",
  port: 22,
  user: "root",
  hostKey,
  role: "manager",
  state: "active",
  labels: { edge: "true", disk: "fast & big" },
  publicAddress: "203.0.113.7",
};
const deploy: Host = {
  name: "db-1",
  address: "203.0.113.8",
  port: 2222,
  user: "deploy",
  role: "worker",
  state: "drain",
  labels: {},
  privateAddress: "10.0.0.2",
};
const bastion = { name: "bastion", address: "198.18.0.9", port: 22, user: "jump", hostKey };
const ca = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";

const firewall = {
  stack: "production",
  hosts: [{ ...root, privateAddress: "10.0.0.1" }, deploy],
  proxyRanges: ["173.245.48.0/20", "2400:cb00::/32"],
};
const proxy = { api: "https://api.cloudflare.com/client/v4", proxyRanges: firewall.proxyRanges };
const system = {
  host: root,
  updateMinutes: 90,
  restarts: true,
  trusted: ["10.0.0.1", "198.18.0.0/24"],
  pidsLimit: 4096,
  proxy,
} as const;

const renderAccess = (args: Parameters<typeof access>[0]): string => renderGuarded(access(args));
const renderFirewall = (args: FirewallArgs): string => renderGuarded(firewallOf(args));

const scripts: Record<string, string> = {
  "access-root.sh": renderAccess({ stack: "production", host: root }),
  "access-deploy.sh": renderAccess({ stack: "production", host: deploy }),
  "firewall-edge.sh": renderFirewall({
    ...firewall,
    host: root,
    firewall: { ssh: ["0.0.0.0/0", "::/0"], web: "any", http3: false },
  }),
  "firewall-proxied.sh": renderFirewall({
    ...firewall,
    host: root,
    firewall: { ssh: ["198.18.0.0/24", "2001:db8::/32"], web: "cloudflare", http3: false },
  }),
  "firewall-deploy.sh": renderFirewall({
    ...firewall,
    host: deploy,
    firewall: { ssh: ["198.18.0.0/24"], web: "any", http3: false },
  }),
  ...Object.fromEntries(
    Object.entries(systemScripts(system)).map(([concern, script]) => [`system-${concern}.sh`, script]),
  ),
  "engine-edge.sh": renderEngine({ host: root, edge: true, registry: { address: "registry.test:5000/team", ca } }),
  "engine-deploy.sh": renderEngine({ host: deploy, edge: false, registry: { address: "ghcr.io/acme" } }),
  "engine-docker.sh": renderEngine({
    host: deploy,
    edge: false,
    registry: { address: "ghcr.io/acme" },
    docker: { source: "docker", version: "27.3.1" },
  }),
  "member-first.sh": renderMember({ stack: "production", host: root, first: true }),
  "member-worker.sh": renderMember({ stack: "production", host: deploy, first: false }),
  "member-jump.sh": renderMember({ stack: "production", host: { ...root, jump: bastion }, first: false }),
  "autolock.sh": renderAutolock({ host: "manager.swarm", autolock: true }),
  "farewell.sh": renderFarewell("production", root, "/usr/bin/thing 'remove'"),
  "join-tokens.sh": renderJoinTokens(2),
};

describe("scripts that prepare a host", () => {
  for (const [name, script] of Object.entries(scripts)) {
    it(`renders ${name}`, () => {
      golden(`fleet/${name}`, script);
      checkScript(script);
    });
  }

  it("never loosens who may log in as root on a host that is reached as another user", () => {
    assert.doesNotMatch(scripts["access-deploy.sh"]!, /PermitRootLogin/);
  });

  it("holds scripts for hosts that are scripts themselves", () => {
    for (const [name, count] of Object.entries({
      "member-first.sh": 3,
      "member-worker.sh": 3,
      "access-root.sh": 2,
      "access-deploy.sh": 2,
      "firewall-edge.sh": 2,
      "firewall-proxied.sh": 2,
    })) {
      const inner = [...scripts[name]!.matchAll(/<<'BERTH_SCRIPT'.*\n([^]*?)\nBERTH_SCRIPT\n/g)].map(
        ([, text]) => text!,
      );
      assert.equal(inner.length, count, name);
      inner.forEach(checkScript);
      const programs = inner.flatMap((text) =>
        [...text.matchAll(/<<'PROGRAM'\n([^]*?)PROGRAM\n/g)].map((one) => one[1]!),
      );
      programs.forEach(checkScript);
    }
  });

  it("lets no join token out of standard input", () => {
    const script = scripts["member-worker.sh"]!;
    assert.match(script, /docker swarm init .* >\/dev\/null$/m);
    // Assigned, and printed by the shell itself into the pipe; nowhere else.
    assert.equal(script.match(/\$token\b/g)?.length, 1);
    assert.match(script, /answer=\$\(printf [^|]*"\$token" \|\n\s+on_host 'curl /);
    assert.match(scripts["join-tokens.sh"]!, /--rotate "\$role" >\/dev\/null/);
  });

  it("lets no unlock key out of Docker", () => {
    assert.match(scripts["autolock.sh"]!, /docker swarm update --autolock=true >\/dev\/null$/m);
  });

  it("lets no manager restart by itself that would wait for its key", () => {
    const upgrades = (restarts: boolean) => systemScripts({ ...system, restarts })["upgrades"]!;
    assert.match(upgrades(true), /Automatic-Reboot "true";/);
    assert.match(upgrades(false), /Automatic-Reboot "false";/);
  });

  it("lets managers update and restart an hour apart, and no two hosts at the same time", () => {
    const names = ["manager", "manager", "worker", "manager", "worker"] as const;
    const hosts = names.map((role, index) => ({ ...root, name: `vm-${index + 1}`, role }));
    const shared: Omit<HostConcernsArgs, "host"> = {
      ...{ stack: "production", hosts, registry: { address: "ghcr.io" } },
      docker: { source: "distribution", pidsLimit: 4096 },
      ...{ dnsChallenges: false, proxyRanges: [], autolock: false, rangesApi: undefined },
      firewall: { ssh: ["0.0.0.0/0"], web: "any", http3: false },
    };
    const windows = hosts.map((host) => {
      const script = hostConcerns({ ...shared, host }).system;
      return [
        /^OnCalendar=\*-\*-\* (.*) UTC$/m.exec(script)?.[1],
        /Automatic-Reboot-Time "(.*)";/.exec(script)?.[1],
        /Automatic-Reboot "(.*)";/.exec(script)?.[1],
      ];
    });
    assert.deepEqual(windows, [
      ["01:00", "01:30", "true"],
      ["02:00", "02:30", "true"],
      ["04:00", "04:30", "true"],
      ["03:00", "03:30", "true"],
      ["04:30", "05:00", "true"],
    ]);
  });

  it("has Docker tell its metrics at the private address, to the fleet alone", () => {
    assert.match(scripts["engine-deploy.sh"]!, /"metrics-addr": "10\.0\.0\.2:9323"/);
    assert.match(scripts["engine-edge.sh"]!, /"metrics-addr": "127\.0\.0\.1:9323"/, "there is nobody else");
    const rules = scripts["firewall-deploy.sh"]!.split("\n").filter((line) => line.includes("9323"));
    assert.deepEqual(
      rules.map((line) => line.trim()),
      ["ip saddr { 10.0.0.1, 10.0.0.2 } tcp dport { 2377, 7946, 9323 } accept"],
    );
  });

  it("installs what issues certificates only where the edge runs", () => {
    assert.match(scripts["engine-edge.sh"]!, /certbot openssl/);
    assert.doesNotMatch(scripts["engine-deploy.sh"]!, /certbot/);
  });

  it("runs every concern of the system, each as far as it comes by itself", () => {
    const whole = renderSystem(system);
    for (const script of Object.values(systemScripts(system))) assert.ok(whole.includes(`(\n${script})\n`));
    const broken = whole.replace("main() {", "main() {\n  refuse broken");
    const { status, stdout } = spawnSync("sh", ["-s", "check"], {
      input: broken.replaceAll("/etc/", "/nowhere/"),
      encoding: "utf8",
    });
    assert.notEqual(status, 0, "one that failed is not forgotten");
    assert.match(stdout, /berth-ranges\.timer/, "the last one ran");
  });

  it("opens the web on edge hosts alone, for published ports too, and the swarm to the fleet alone", () => {
    const tables = (name: string) => /table inet berth \{\n([^]*?)\n\}\n/.exec(scripts[name]!)![1]!;
    assert.equal(tables("firewall-edge.sh").match(/\{ 80, 443 \} jump web/g)?.length, 2);
    assert.doesNotMatch(tables("firewall-deploy.sh"), /\b(80|443)\b/);
    for (const name of ["firewall-edge.sh", "firewall-deploy.sh"]) {
      const lines = tables(name)
        .split("\n")
        .filter((line) => /2377|7946|4789|esp/.test(line));
      assert.equal(lines.length, 3);
      assert.ok(
        lines.every((line) => line.includes("ip saddr { 10.0.0.1, 10.0.0.2 } ")),
        lines.join(),
      );
      assert.match(tables(name), /hook input priority filter; policy drop;/);
      assert.match(tables(name), /hook forward priority filter - 5;[^]*\n {4}drop\n {2}\}/);
    }
  });

  it("opens UDP for HTTP/3 where it is wanted, to those who reach the web", () => {
    const open = { ssh: ["0.0.0.0/0"], web: "any" as const, http3: true };
    const script = renderFirewall({ ...firewall, host: root, firewall: open });
    assert.match(script, /^ {4}udp dport 443 jump web$/m);
    assert.match(script, /^ {4}meta l4proto udp ct status dnat ct original proto-dst 443 jump web$/m);
    assert.doesNotMatch(renderFirewall({ ...firewall, host: deploy, firewall: open }), /udp dport 443|udp ct status/);
    assert.doesNotMatch(scripts["firewall-edge.sh"]!, /udp dport 443|udp ct status/);
  });

  it("asks before a change whether it would cut the connection, where SSH is limited", () => {
    assert.match(scripts["firewall-proxied.sh"]!, /would cut this connection, which comes from \$client/);
    assert.doesNotMatch(scripts["firewall-edge.sh"]!, /would cut/);
  });

  it("keeps the kind of host key that is pinned", () => {
    assert.match(scripts["access-root.sh"]!, /HostKeyAlgorithms -ecdsa/);
    const pinned = { ...root, hostKey: "ecdsa-sha2-nistp256 AAAA" };
    assert.doesNotMatch(renderAccess({ stack: "production", host: pinned }), /HostKeyAlgorithms/);
    assert.doesNotMatch(scripts["access-deploy.sh"]!, /HostKeyAlgorithms/, "none is pinned");
  });

  it("does not let a command of the script swallow the rest of it", () => {
    const script = renderScript({ host: "web-1", concern: "test", body: "main() {\n  cat\n  echo done\n}" });
    assert.equal(execFileSync("sh", ["-s"], { input: script, encoding: "utf8" }), "done\n");
  });

  it("replaces a file only when its content differs", () => {
    const body = `${looks}\n${place}\nmain() {\n  file=$(mktemp)\n  for text in a a b; do echo $text | place "$file" | cut -d : -f 1; done\n}`;
    const script = renderScript({ host: "web-1", concern: "test", body });
    assert.equal(execFileSync("sh", ["-s"], { input: script, encoding: "utf8" }), "changed\nunchanged\nchanged\n");
  });

  it("only looks when it is asked to check, and names every line that differs", () => {
    const file = join(mkdtempSync(join(tmpdir(), "berth-place-")), "file");
    const body = `${looks}\n${place}\nmain() {\n  printf 'a\\nb\\n' | place ${file}\n}`;
    const script = renderScript({ host: "web-1", concern: "test", body });
    const check = () => execFileSync("sh", ["-s", "check"], { input: script, encoding: "utf8" });
    assert.equal(check(), `differs: ${file} is missing\n`);
    writeFileSync(file, "a\nc\n");
    assert.equal(check(), `differs: ${file} lacks "b"\ndiffers: ${file} has "c"\n`);
    execFileSync("sh", ["-s"], { input: script });
    assert.equal(check(), "");
  });
});

describe("rootShell", () => {
  it("goes through sudo, without a prompt, for everyone but root", () => {
    assert.deepEqual([rootShell(root), rootShell(deploy)], ["sh -s", "sudo -n sh -s"]);
  });
});

describe("asRoot", () => {
  let bin: string;
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), "berth-sudo-"));
  });
  afterEach(() => {
    rmSync(bin, { recursive: true });
  });
  const run = (sudo: string): string => {
    writeFileSync(join(bin, "sudo"), `#!/bin/sh\n${sudo}\n`, { mode: 0o755 });
    return execFileSync("sh", ["-s"], {
      input: asRoot(deploy, "echo it\\'s $HOME\n"),
      env: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, HOME: "/root" },
      encoding: "utf8",
      stdio: "pipe",
    });
  };

  it("hands the script over as it is", () => {
    assert.equal(run('shift; exec "$@"'), "it's /root\n");
    assert.equal(asRoot(root, "echo\n"), "echo\n");
    checkScript(asRoot(deploy, scripts["engine-deploy.sh"]!));
  });

  it("says what is missing when the user may not become root", () => {
    assert.throws(() => run("exit 1"), {
      stderr:
        "host db-1: deploy cannot become root by sudo without a password; " +
        'put the line "deploy ALL=(ALL) NOPASSWD:ALL" into /etc/sudoers.d/berth on it, or use root\n',
    });
  });
});
