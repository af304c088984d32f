import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderAccess } from "../../components/fleet/access.render.ts";
import { renderFarewell } from "../../components/fleet/farewell.render.ts";
import { renderMember } from "../../components/fleet/member.render.ts";
import { renderJoinTokens } from "../../components/fleet/tokens.render.ts";
import type { Host } from "../../components/config/host.ts";
import { renderEngine } from "../../components/fleet/engine.render.ts";
import { asRoot, place, renderScript, rootShell } from "../../components/fleet/script.ts";
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
const ca = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";

const scripts: Record<string, string> = {
  "access-root.sh": renderAccess(root),
  "access-deploy.sh": renderAccess(deploy),
  "engine-edge.sh": renderEngine({ host: root, edge: true, registry: { address: "registry.test:5000/team", ca } }),
  "engine-deploy.sh": renderEngine({ host: deploy, edge: false, registry: { address: "ghcr.io/acme" } }),
  "member-first.sh": renderMember({ stack: "production", host: root, first: true }),
  "member-worker.sh": renderMember({ stack: "production", host: deploy, first: false }),
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
    for (const name of ["member-first.sh", "member-worker.sh"]) {
      const inner = [...scripts[name]!.matchAll(/<<'BERTH_SCRIPT'\n([^]*?)BERTH_SCRIPT\n/g)].map(([, text]) => text!);
      assert.equal(inner.length, 3);
      inner.forEach(checkScript);
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

  it("installs what issues certificates only where the edge runs", () => {
    assert.match(scripts["engine-edge.sh"]!, /certbot openssl/);
    assert.doesNotMatch(scripts["engine-deploy.sh"]!, /certbot/);
  });

  it("does not let a command of the script swallow the rest of it", () => {
    const script = renderScript({ host: "web-1", concern: "test", body: "main() {\n  cat\n  echo done\n}" });
    assert.equal(execFileSync("sh", ["-s"], { input: script, encoding: "utf8" }), "done\n");
  });

  it("replaces a file only when its content differs", () => {
    const body = `${place}\nmain() {\n  file=$(mktemp)\n  for text in a a b; do echo $text | place "$file" | cut -d : -f 1; done\n}`;
    const script = renderScript({ host: "web-1", concern: "test", body });
    assert.equal(execFileSync("sh", ["-s"], { input: script, encoding: "utf8" }), "changed\nunchanged\nchanged\n");
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
    checkScript(asRoot(deploy, scripts["access-deploy.sh"]!));
  });

  it("says what is missing when the user may not become root", () => {
    assert.throws(() => run("exit 1"), {
      stderr:
        "host db-1: deploy cannot become root by sudo without a password; " +
        'put the line "deploy ALL=(ALL) NOPASSWD:ALL" into /etc/sudoers.d/berth on it, or use root\n',
    });
  });
});
