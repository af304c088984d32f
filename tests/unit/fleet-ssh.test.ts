import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../../components/config/host.ts";
import { connection } from "../../components/fleet/connection.ts";
import { managerIn, renderKnownHosts, renderSshConfig, sshConfigPath } from "../../components/fleet/ssh.render.ts";
import { sshCommand, writeSshFiles } from "../../components/fleet/ssh.ts";
import { golden } from "../support/golden.ts";

const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBlcWnPr0iDwJMbsWbS8f6XwSyiNMBnh4rjVKSNTs6zD";
const usual = { role: "manager", state: "active" } as const;
const web: Host = { name: "web-1", address: "203.0.113.7", port: 2222, user: "deploy", hostKey, labels: {}, ...usual };
const unpinned: Host = { name: "lab-1", address: "127.0.0.1", port: 22, user: "root", labels: {}, ...usual };
const bastion = { name: "bastion", address: "198.18.0.9", port: 2200, user: "jump", hostKey };
const inner: Host = { ...web, name: "db-1", address: "10.0.0.2", port: 22, user: "root", jump: bastion };
const key = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----";

describe("ssh files", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "berth-ssh-"));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });
  const at = (name: string): string => join(root, ".berth/production", name);
  const mode = (path: string): number => statSync(path).mode & 0o777;

  it("renders one entry per host, with the pinned key under the host's name", () => {
    golden(
      "fleet/ssh_config",
      renderSshConfig({ stack: "production", hosts: [web, unpinned], manager: "web-1", key: true }),
    );
  });

  it("goes through the jump host that a host names, and knows it by its own pinned key", () => {
    const hosts = [web, inner, { ...inner, name: "db-2" }];
    golden("fleet/ssh_config-jump", renderSshConfig({ stack: "production", hosts, manager: "db-1", key: true }));
    assert.equal(
      renderKnownHosts(hosts),
      ["web-1", "db-1", "db-2", "bastion.jump"].map((name) => `${name} ${hostKey}\n`).join(""),
    );
  });

  it("is read by ssh as it is meant where a host is behind a jump host", () => {
    writeSshFiles({ stack: "production", hosts: [inner], sshKey: key }, root);
    const read = (name: string): string =>
      execFileSync("ssh", ["-G", "-F", sshConfigPath("production"), name], { cwd: root, encoding: "utf8" });
    for (const name of ["db-1", "manager.swarm"]) {
      assert.match(read(name), /^proxyjump bastion\.jump$/m);
      assert.match(read(name), /^controlmaster false$/m);
    }
    const way = read("bastion.jump");
    for (const line of [
      "hostname 198.18.0.9",
      "port 2200",
      "user jump",
      "hostkeyalias bastion.jump",
      "stricthostkeychecking true",
      "userknownhostsfile .berth/production/known_hosts",
      "identityfile .berth/production/key",
      "controlmaster auto",
    ]) {
      assert.match(way, new RegExp(`^${line}$`, "m"));
    }
    assert.doesNotMatch(way, /^proxyjump/m);
  });

  it("leaves the choice of keys to the agent when no key is configured", () => {
    assert.doesNotMatch(
      renderSshConfig({ stack: "production", hosts: [web], manager: "web-1", key: false }),
      /Identit/,
    );
  });

  it("is read by ssh as it is meant", () => {
    writeSshFiles({ stack: "production", hosts: [web, unpinned], sshKey: key }, root);
    const read = (host: string): string =>
      execFileSync("ssh", ["-G", "-F", sshConfigPath("production"), host], { cwd: root, encoding: "utf8" });
    const pinned = read("web-1");
    for (const line of [
      "hostname 203.0.113.7",
      "port 2222",
      "user deploy",
      "hostkeyalias web-1",
      "userknownhostsfile .berth/production/known_hosts",
      "globalknownhostsfile /dev/null",
      "stricthostkeychecking true",
      "identityfile .berth/production/key",
      "identitiesonly yes",
      "batchmode yes",
      "controlmaster auto",
      "controlpersist 10",
    ]) {
      assert.match(pinned, new RegExp(`^${line}$`, "m"));
    }
    assert.match(read("lab-1"), /^stricthostkeychecking accept-new$/m);
  });

  it("keeps control sockets within the length of a socket path for the longest stack names", () => {
    const config = renderSshConfig({ stack: "s".repeat(100), hosts: [web], manager: "web-1", key: false });
    const path = /ControlPath (.*)/.exec(config)?.[1] ?? "";
    // %C is 40 characters; while it connects, ssh appends 17 more. macOS has room for 103.
    assert.ok(path.length - "%C".length + 40 + 17 <= 103, path);
  });

  it("writes files that only their owner reads", () => {
    writeSshFiles({ stack: "production", hosts: [web], sshKey: key }, root);
    assert.equal(readFileSync(at("known_hosts"), "utf8"), `web-1 ${hostKey}\n`);
    assert.equal(readFileSync(at("key"), "utf8"), `${key}\n`);
    assert.deepEqual(
      ["ssh_config", "known_hosts", "key"].map((name) => mode(at(name))),
      [0o600, 0o600, 0o600],
    );
    assert.deepEqual([mode(join(root, ".berth")), mode(at("."))], [0o700, 0o700]);
  });

  it("keeps talking to the manager that answered last, for as long as it is one", () => {
    const second: Host = { ...web, name: "web-2", address: "203.0.113.8" };
    const read = (): string | undefined => managerIn(readFileSync(at("ssh_config"), "utf8"));
    writeSshFiles({ stack: "production", hosts: [web, second] }, root);
    assert.equal(read(), "web-1");
    writeSshFiles({ stack: "production", hosts: [web, second] }, root, "web-2");
    writeSshFiles({ stack: "production", hosts: [web, second] }, root);
    assert.equal(read(), "web-2");
    writeSshFiles({ stack: "production", hosts: [web, { ...second, role: "worker" }] }, root);
    assert.equal(read(), "web-1");
  });

  it("trusts the manager by the key that is pinned for its host", () => {
    writeSshFiles({ stack: "production", hosts: [web, unpinned], sshKey: key }, root);
    const read = execFileSync("ssh", ["-G", "-F", sshConfigPath("production"), "manager.swarm"], {
      cwd: root,
      encoding: "utf8",
    });
    assert.match(read, /^hostname 203\.0\.113\.7$/m);
    assert.match(read, /^hostkeyalias web-1$/m);
  });

  it("leaves files alone that are right already and repairs the others", () => {
    writeSshFiles({ stack: "production", hosts: [web], sshKey: key }, root);
    const before = statSync(at("ssh_config")).ino;
    writeFileSync(at("key"), "other", { mode: 0o644 });
    writeSshFiles({ stack: "production", hosts: [web], sshKey: key }, root);
    assert.equal(statSync(at("ssh_config")).ino, before);
    assert.equal(readFileSync(at("key"), "utf8"), `${key}\n`);
  });

  it("removes the key when it is no longer configured", () => {
    writeSshFiles({ stack: "production", hosts: [web], sshKey: key }, root);
    writeSshFiles({ stack: "production", hosts: [web] }, root);
    assert.equal(existsSync(at("key")), false);
  });

  it("rejects an address that would smuggle in an option", () => {
    const hosts = [{ ...web, address: "x\n  ProxyCommand sh" }];
    assert.throws(() => renderSshConfig({ stack: "s", hosts, manager: "web-1", key: false }), {
      message:
        'hosts.web-1.address: cannot stand in an SSH configuration, got "x\\n  ProxyCommand sh"; ' +
        "use letters, digits and . : _ -",
    });
  });
});

describe("sshCommand", () => {
  it("quotes every argument for the remote shell", () => {
    const [program, flag, file, host, remote, ...rest] = sshCommand("local", "web-1", [
      "printf",
      "%s|",
      "it's",
      "a $b",
    ]);
    assert.deepEqual([program, flag, file, host, rest], ["ssh", "-F", ".berth/local/ssh_config", "web-1", []]);
    assert.equal(execFileSync("sh", ["-c", remote!], { encoding: "utf8" }), "it's|a $b|");
  });
});

describe("connection", () => {
  it("pins the host key and marks the private key as secret", async () => {
    const { privateKey, ...rest } = connection(web, key);
    assert.deepEqual(rest, {
      host: "203.0.113.7",
      port: 2222,
      user: "deploy",
      hostKey,
      dialErrorLimit: 3,
      perDialTimeout: 10,
    });
    assert.equal(await pulumi.isSecret(privateKey as pulumi.Output<string>), true);
  });

  it("goes through the jump host, whose key is pinned as well", async () => {
    const { proxy, ...rest } = connection(inner, key);
    assert.deepEqual([rest.host, rest.hostKey], ["10.0.0.2", hostKey]);
    const { privateKey, ...way } = proxy as typeof rest;
    assert.deepEqual(way, {
      host: "198.18.0.9",
      port: 2200,
      user: "jump",
      hostKey,
      dialErrorLimit: 3,
      perDialTimeout: 10,
    });
    assert.equal(await pulumi.isSecret(privateKey as pulumi.Output<string>), true);
    assert.equal(connection(web, key).proxy, undefined);
  });

  it("leaves out what is not configured", () => {
    const { privateKey, hostKey: pinned } = connection(unpinned, undefined);
    assert.deepEqual([privateKey, pinned], [undefined, undefined]);
  });
});
