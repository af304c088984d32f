import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../../../operations/main.ts";
import { sampleHostKey } from "../../support/sample-config.ts";

const key = "SWMKEY-1-secret";

describe("npm run berth -- unlock", () => {
  let root: string;
  let path: string | undefined;
  const at = (name: string): string => join(root, name);

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "berth-unlock-"));
    mkdirSync(at("bin"));
    path = process.env["PATH"];
    process.env["PATH"] = `${at("bin")}:${path ?? ""}`;
    for (const name of ["arguments", "input"]) writeFileSync(at(name), "");
    stackFile("");
  });
  afterEach(() => {
    process.env["PATH"] = path;
    rmSync(root, { recursive: true });
  });

  const stackFile = (more: string): void => {
    const hosts = [1, 2, 3].map((n) => `    - { name: vm-${n}, address: 198.18.0.${n}, hostKey: ${sampleHostKey} }\n`);
    writeFileSync(at("Pulumi.prod.yaml"), `config:\n  berth:hosts:\n${hosts.join("")}${more}`);
  };
  /** A program that notes how it was called and with what, and then does as told. */
  const program = (name: string, body: string): void => {
    const note = `echo "${name} $*" >>${at("arguments")}\ninput=$(cat)\necho "$input" >>${at("input")}\n`;
    writeFileSync(at(`bin/${name}`), `#!/bin/sh\n${note}${body}\n`);
    chmodSync(at(`bin/${name}`), 0o755);
  };
  /** Managers by their state; those that are active give the key. */
  const swarm = (states: Readonly<Record<string, string>>, given = key): void => {
    const cases = Object.entries(states).map(([name, state]) =>
      state === "lost" ? `*" ${name} "*) exit 255 ;;` : `*" ${name} "*info*) echo ${state} ;;`,
    );
    program(
      "ssh",
      `case " $* " in\n${cases.join("\n")}\n*unlock-key*) echo ${given} ;;\n*) [ "$input" = ${key} ] ;;\nesac`,
    );
  };
  const berth = async (...argv: string[]): Promise<{ code: number; out: string; err: string }> => {
    let [out, err] = ["", ""];
    const code = await main(["unlock", "prod", ...argv], {
      root,
      openRegistry: async () => Promise.reject(new Error("no registry is asked here")),
      print: (text) => (out += `${text}\n`),
      note: (text) => (err += `${text}\n`),
    });
    for (const said of [out, err, readFileSync(at("arguments"), "utf8")]) assert.doesNotMatch(said, /SWMKEY/);
    return { code, out, err };
  };

  it("hands the key of a manager that is not locked to those that are, by standard input", async () => {
    swarm({ "vm-1": "locked", "vm-2": "active", "vm-3": "locked" });
    assert.deepEqual(await berth(), { code: 0, out: "vm-1: unlocked\nvm-3: unlocked\n", err: "" });
    assert.equal(readFileSync(at("input"), "utf8").match(/SWMKEY-1-secret/g)?.length, 2);
  });

  it("takes the key from the stack file when every manager is locked, and names one that does not answer", async () => {
    stackFile("  berth:unlockKey:\n    secure: sealed\n");
    swarm({ "vm-1": "locked", "vm-2": "lost", "vm-3": "locked" });
    program("pulumi", `echo '{ "value": "${key}" }'`);
    const { code, out, err } = await berth();
    assert.deepEqual([code, out], [0, "vm-1: unlocked\nvm-3: unlocked\n"]);
    assert.match(err, /^vm-2: is not asked, got /);
    assert.match(readFileSync(at("arguments"), "utf8"), /pulumi config get berth:unlockKey --json --stack prod/);
  });

  it("says so when the key does not fit, and goes on with the next", async () => {
    swarm({ "vm-1": "active", "vm-2": "locked", "vm-3": "locked" }, "SWMKEY-1-old");
    const { code, out } = await berth();
    assert.equal(code, 1);
    assert.match(
      out,
      /^vm-2: stays locked, got .*; with another key, run `systemctl restart docker` on it first\nvm-3: stays locked, got /,
    );
  });

  it("refuses when nobody has the key", async () => {
    swarm({ "vm-1": "locked", "vm-2": "locked", "vm-3": "locked" });
    const { code, err } = await berth();
    assert.equal(code, 1);
    assert.equal(
      err,
      "berth unlock: prod: no key, since no manager is unlocked and the stack file has none; " +
        "run `pulumi config set --secret berth:unlockKey --stack prod`\n",
    );
  });

  it("does nothing where no manager is locked", async () => {
    swarm({ "vm-1": "active", "vm-2": "active", "vm-3": "active" });
    assert.deepEqual(await berth(), { code: 0, out: "no manager is locked\n", err: "" });
  });

  it("keeps the key in the stack file, which Pulumi seals, by standard input", async () => {
    swarm({ "vm-1": "active", "vm-2": "active", "vm-3": "active" });
    program("pulumi", "");
    const { code } = await berth("--save");
    assert.equal(code, 0);
    assert.match(
      readFileSync(at("arguments"), "utf8"),
      /pulumi config set --secret berth:unlockKey --stack prod --non-interactive\n/,
    );
    assert.match(readFileSync(at("input"), "utf8"), /^SWMKEY-1-secret$/m);
  });

  it("has the swarm replace the key while all take part, and keeps the new one where the old one was", async () => {
    swarm({ "vm-1": "active", "vm-2": "active", "vm-3": "active" });
    program("pulumi", "");
    assert.deepEqual(await berth("--rotate"), {
      code: 0,
      out: "replaced; from now on the new key unlocks managers\n",
      err: "",
    });
    assert.match(readFileSync(at("arguments"), "utf8"), / vm-1 'docker' 'swarm' 'unlock-key' '--rotate' '--quiet'$/m);
    assert.doesNotMatch(readFileSync(at("arguments"), "utf8"), /^pulumi/m);
    stackFile("  berth:unlockKey:\n    secure: sealed\n");
    const { code, out } = await berth("--rotate");
    assert.equal(code, 0);
    assert.match(out, /kept as the secret berth:unlockKey in /);
    assert.match(readFileSync(at("arguments"), "utf8"), /^pulumi config set --secret berth:unlockKey /m);
  });

  it("replaces no key while a manager is away, which would come back with the old one", async () => {
    for (const state of ["locked", "lost"]) {
      swarm({ "vm-1": "active", "vm-2": state, "vm-3": "active" });
      const { code, err } = await berth("--rotate");
      assert.equal(code, 1);
      assert.match(err, /the key is replaced while all managers take part, got none of vm-2; unlock or start what is/);
    }
    assert.doesNotMatch(readFileSync(at("arguments"), "utf8"), /--rotate/);
  });

  it("has no key to keep while autolock is off", async () => {
    swarm({ "vm-1": "active", "vm-2": "active", "vm-3": "active" }, "''");
    const { code, err } = await berth("--save");
    assert.equal(code, 1);
    assert.match(err, /no key, since autolock is off and the stack file has none; turn autolock on with/);
  });
});
