import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { readAnswer, type Failure } from "../../components/fleet/facts.ts";
import { renderFacts } from "../../components/fleet/facts.render.ts";
import { golden } from "../support/golden.ts";
import { checkScript } from "../support/shell.ts";

describe("the script that asks a machine", () => {
  const host = { name: "vm-1", user: "root" };

  it("renders for root and for others", () => {
    for (const [name, script] of Object.entries({
      "facts-root.sh": renderFacts({ host, encrypted: true, places: ["ghcr.io:443", "pebble.test:14000"] }),
      "facts-deploy.sh": renderFacts({ host: { name: "vm-1", user: "deploy" }, encrypted: false, places: [] }),
    })) {
      golden(`fleet/${name}`, script);
      checkScript(script);
    }
  });

  it("says what this machine is, and what it cannot reach", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const places = [`127.0.0.1:${port}`, "127.0.0.1:1"];
    const child = execFile("sh", ["-s"]);
    child.stdin?.end(renderFacts({ host, encrypted: false, places }));
    const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
    server.close();
    const answer = readAnswer(child.exitCode ?? 0, stdout, stderr);
    assert.ok("facts" in answer, stdout + stderr);
    const { system, memory, cores, disks, unreached } = answer.facts;
    assert.deepEqual(unreached, ["127.0.0.1:1"]);
    assert.match(readFileSync("/etc/os-release", "utf8"), new RegExp(`^ID=${system.split(" ")[0] ?? ""}$`, "m"));
    assert.ok(Math.abs(memory * 1024 - totalmem()) < totalmem() / 10);
    assert.ok(cores >= 1 && cores <= cpus().length);
    assert.ok(disks.every(({ size, free, path }) => size >= free && path.startsWith("/")) && disks.length > 0);
  });

  it("finds out that a user cannot become root, and asks nothing else", () => {
    const bin = mkdtempSync(join(tmpdir(), "berth-sudo-"));
    try {
      writeFileSync(join(bin, "sudo"), "#!/bin/sh\necho 'a password is required' >&2\nexit 1\n");
      chmodSync(join(bin, "sudo"), 0o755);
      const { stdout, stderr, status } = spawnSync("sh", ["-s"], {
        input: renderFacts({ host: { name: "vm-1", user: "deploy" }, encrypted: true, places: [] }),
        encoding: "utf8",
        env: { PATH: `${bin}:/usr/bin:/bin` },
      });
      assert.deepEqual(readAnswer(status ?? -1, stdout, stderr), { failure: "not root", said: "" });
    } finally {
      rmSync(bin, { recursive: true });
    }
  });
});

describe("what ssh says instead of a machine", () => {
  const changed = `@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
The fingerprint for the ED25519 key sent by the remote host is\r
SHA256:AAAAbbbbCCCC.\r
Host key verification failed.\r
`;
  const cases: readonly (readonly [what: string, code: number | "late", stderr: string, failure: Failure])[] = [
    ["a closed port", 255, "ssh: connect to host 192.0.2.1 port 22: Connection refused\r\n", "silent"],
    ["no way", 255, "ssh: connect to host 192.0.2.1 port 22: No route to host\r\n", "silent"],
    ["a machine that hangs", "late", "", "silent"],
    ["a name", 255, "ssh: Could not resolve hostname vm.test: Name or service not known\r\n", "no such name"],
    ["another key", 255, changed, "other key"],
    [
      "a key of another kind",
      255,
      "No ED25519 host key is known for vm-1\r\nHost key verification failed.",
      "other key",
    ],
    [
      "another key of the jump host",
      255,
      "Host key for bastion.jump has changed and you have requested strict checking.\r\nHost key verification failed.",
      "other key of jump host",
    ],
    [
      "a jump host that was never seen",
      255,
      "No ED25519 host key is known for bastion.jump and you have requested strict checking.\r\nHost key verification failed.",
      "other key of jump host",
    ],
    ["a stranger", 255, "deploy@192.0.2.1: Permission denied (publickey).\r\n", "refused"],
    [
      "a broken key file",
      255,
      'Load key ".berth/x/key": error in libcrypto\r\nroot@192.0.2.1: Permission denied (publickey).\r\n',
      "bad private key",
    ],
    ["a shell that greets and ends", 142, "", "broken off"],
  ];
  for (const [what, code, stderr, failure] of cases) {
    it(`tells ${what} from the others`, () => {
      const answer = readAnswer(code, code === 142 ? "Please login as the user ubuntu\n" : "", stderr);
      assert.equal("failure" in answer && answer.failure, failure);
    });
  }

  it("keeps the digest of the key that was shown", () => {
    assert.deepEqual(readAnswer(255, "", changed), {
      failure: "other key",
      said: "Host key verification failed.",
      offered: "SHA256:AAAAbbbbCCCC",
    });
  });
});
