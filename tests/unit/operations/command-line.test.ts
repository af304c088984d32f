import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main, verbs } from "../../../operations/main.ts";
import { bestKey, hostKeyLines } from "../../../operations/verbs/host-key.ts";
import { parseRequest } from "../../../operations/verbs/pin.ts";
import { parseGoal } from "../../../operations/verbs/rollback.ts";

describe("npm run berth", () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "berth-verbs-"));
    writeFileSync(join(root, "Pulumi.bad.yaml"), "config:\n  berth:images:\n    api: not an image\n");
  });
  after(() => {
    rmSync(root, { recursive: true });
  });

  async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
    let [out, err] = ["", ""];
    const openRegistry = async () => Promise.reject(new Error("no registry is asked here"));
    const code = await main(argv, {
      root,
      openRegistry,
      print: (text) => (out += `${text}\n`),
      note: (text) => (err += `${text}\n`),
    });
    return { code, out, err };
  }

  it("shows every verb, as an answer when asked and as an error otherwise", async () => {
    const [asked, bare] = [await run("--help"), await run()];
    assert.deepEqual([asked.code, bare.code, bare.out], [0, 2, ""]);
    assert.equal(asked.out, bare.err);
    for (const verb of Object.keys(verbs)) assert.match(asked.out, new RegExp(`^  ${verb} `, "m"));
  });

  for (const verb of Object.keys(verbs)) {
    it(`explains ${verb}, all of its flags included`, async () => {
      const { code, out } = await run(verb, "--help");
      const { verb: loaded } = await verbs[verb]!.load();
      assert.equal(code, 0);
      assert.match(out, new RegExp(`^npm run berth -- ${verb} `));
      for (const flag of Object.keys(loaded.options)) assert.match(out, new RegExp(`^  --${flag} `, "m"));
    });
  }

  const usage: [string[], string][] = [
    [
      ["nope"],
      'berth: unknown verb, got "nope"; use one of pin, releases, rollback, status, certificate, alerts, unlock, host-key',
    ],
    [
      ["toString"],
      'berth: unknown verb, got "toString"; use one of pin, releases, rollback, status, certificate, alerts, unlock, host-key',
    ],
    [
      ["status"],
      "berth status: takes <stack> [--deep] [--days N] [--json], got none; see `npm run berth -- status --help`",
    ],
    [
      ["status", "a", "b"],
      "berth status: takes <stack> [--deep] [--days N] [--json], got a b; see `npm run berth -- status --help`",
    ],
    [
      ["status", "a", "--days", "a week"],
      'berth status: --days: is not a number of days, got "a week"; write for example 21',
    ],
    [["status", "a", "--jsno"], "berth status: unknown option '--jsno'; see `npm run berth -- status --help`"],
    [["certificate", "a", "forge"], 'berth certificate: is neither renew nor revoke, got "forge"; write one of them'],
    [
      ["certificate", "a", "renew", "--reason", "superseded"],
      "berth certificate: --reason: belongs to revoke; remove it",
    ],
    [
      ["certificate", "a", "revoke", "--reason", "whim"],
      'berth certificate: --reason: is not a reason, got "whim"; use one of unspecified, keycompromise, ' +
        "affiliationchanged, superseded, cessationofoperation",
    ],
    [
      ["certificate", "a", "renew", "Main"],
      `berth certificate: NAME: is not a certificate's name, got "Main"; write for example main`,
    ],
    [["pin", "a", "api"], 'berth: is not name=tag, got "api"; write for example api=1.4.3'],
    [["pin", "a", "api=1", "api=2"], "berth pin: api: is given twice; give each name one tag"],
    [
      ["rollback", "a", "--yes", "--to", "x"],
      'berth rollback: --to: is not a release number, got "x"; write for example --to 3',
    ],
    [
      ["rollback", "a", "--to", "1", "--to-tag", "api=1"],
      "berth rollback: --to and --to-tag exclude each other; use one of them",
    ],
    [
      ["host-key", "a", "--jump", "bastion"],
      "berth host-key: --jump and --stack: belong together; name the stack whose file has the jump host",
    ],
    [["host-key", "a", "--port", "0"], 'berth host-key: port: is not a port, got "0"; use 1 to 65535'],
    [
      ["host-key", "--", "-oProxyCommand=x"],
      'berth host-key: ADDRESS: is not a name or an IP, got "-oProxyCommand=x"; write for example 203.0.113.7',
    ],
  ];
  for (const [argv, message] of usage) {
    it(`rejects \`${argv.join(" ")}\``, async () => {
      assert.deepEqual(await run(...argv), { code: 2, out: "", err: `${message}\n` });
    });
  }

  it("names a stack file that does not exist, and the flag for one that lies elsewhere", async () => {
    const { code, err } = await run("pin", "none", "api=1");
    assert.equal(code, 1);
    assert.equal(
      err,
      `${root}/Pulumi.none.yaml: the stack file does not exist; check the stack's name, got "none", or give its file with --config-file PATH\n`,
    );
  });

  it("names the value in the stack file that it cannot use", async () => {
    const { code, err } = await run("pin", "anything", "api=1", "--config-file", "Pulumi.bad.yaml");
    assert.equal(code, 1);
    assert.equal(
      err,
      'Pulumi.bad.yaml: berth:images.api: is not an image reference, got "not an image"; correct it, `pulumi preview` checks the whole file\n',
    );
  });
});

describe("arguments of the verbs", () => {
  it("are read into what they mean", () => {
    assert.deepEqual(parseRequest("api=1.4.3-rc.1"), { name: "api", tag: "1.4.3-rc.1" });
    assert.deepEqual(parseGoal("12", undefined), { number: 12 });
    assert.deepEqual(parseGoal(undefined, "api=1.0"), { tag: { name: "api", tag: "1.0" } });
    assert.deepEqual(parseGoal(undefined, undefined), {});
  });
});

describe("a host key to pin", () => {
  const ed25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBlcWnPr0iDwJMbsWbS8f6XwSyiNMBnh4rjVKSNTs6zD";
  const scanned = [
    "# 192.0.2.1:22 SSH-2.0-OpenSSH_9.2",
    "192.0.2.1 ssh-rsa AAAAB3NzaC1yc2E=",
    `192.0.2.1 ${ed25519}`,
    "",
  ].join("\n");

  it("is the ed25519 one where there is one", () => {
    assert.equal(bestKey(scanned, "192.0.2.1", "22"), ed25519);
    assert.equal(bestKey("192.0.2.1 ssh-rsa AAAAB3NzaC1yc2E=\n", "192.0.2.1", "22"), "ssh-rsa AAAAB3NzaC1yc2E=");
  });

  it("is printed as the line to paste, with the fingerprint that ssh-keygen shows", () => {
    const [line, fingerprint] = hostKeyLines(ed25519).split("\n");
    assert.equal(line, `hostKey: ${ed25519}`);
    assert.equal(fingerprint, "# fingerprint SHA256:g1Q5pVvF1SRFUWNuZxcZIJ9cABGNDFqwmKjYplj1yuQ");
  });

  it("is refused when no server answered", () => {
    assert.throws(() => bestKey("", "192.0.2.1", "2222"), {
      message:
        "192.0.2.1: no SSH server gave a host key on port 2222 within 5 s; check the address, the port (--port N) and the firewall",
    });
  });
});
