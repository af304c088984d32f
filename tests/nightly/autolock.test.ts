import assert from "node:assert/strict";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { renderAutolock } from "../../components/fleet/autolock.render.ts";
import { renderCheck } from "../../components/fleet/host.render.ts";
import { renderMember } from "../../components/fleet/member.render.ts";
import { assessDeep, deepProblems } from "../../operations/deep.ts";
import { main } from "../../operations/main.ts";
import { LabHost } from "../support/lab-host.ts";
import { concernsOf, prepareHost } from "../support/prepare-host.ts";

describe("a swarm whose managers lock what they keep", function () {
  this.timeout(900_000);
  let machine: LabHost;
  let path: string | undefined;

  before(async () => {
    machine = await LabHost.start();
    path = process.env["PATH"];
    process.env["PATH"] = `${join(machine.root, "bin")}:${path ?? ""}`;
    const { publicAddress: _, ...host } = machine.host;
    const hosts = [{ ...host, privateAddress: machine.address }];
    const secure = { secure: "sealed" };
    const secrets = { "berth:sshKey": secure, "berth:unlockKey": secure };
    const config = { "berth:environment": "local", "berth:hosts": hosts, ...secrets };
    await writeFile(join(machine.root, "Pulumi.one.yaml"), stringify({ config }));
    // In the place of Pulumi's own sealing, which the suite of the real one is for.
    await mkdir(join(machine.root, "bin"));
    const sealed = join(machine.root, "sealed");
    const get = `printf '{ "value": "%s" }' "$(cat ${sealed})"`;
    const script = `#!/bin/sh\ncase "$2" in set) cat >${sealed} ;; get) ${get} ;; esac\n`;
    await writeFile(join(machine.root, "bin/pulumi"), script);
    await chmod(join(machine.root, "bin/pulumi"), 0o755);
    await prepareHost(machine, locking());
    await machine.must(machine.here(join_(), "join"));
  });
  after(async () => {
    process.env["PATH"] = path;
    await machine.remove();
  });

  const locking = () => concernsOf(machine, { autolock: true });
  const join_ = () => renderMember({ stack: machine.stack, host: machine.host, first: true });
  const state = async (): Promise<string> =>
    (await machine.inside("docker", "info", "--format", "{{.Swarm.LocalNodeState}}")).trim();
  const restart = async (): Promise<void> => {
    await machine.inside("systemctl", "restart", "docker");
  };
  const unlock = async (...argv: string[]): Promise<{ code: number; said: string }> => {
    let said = "";
    const say = (text: string): void => void (said += `${text}\n`);
    const openRegistry = async () => Promise.reject(new Error("no registry is asked here"));
    const code = await main(["unlock", "one", ...argv], { root: machine.root, print: say, note: say, openRegistry });
    return { code, said };
  };
  const differences = async (): Promise<string[]> => {
    const { stdout, stderr } = await machine.there(renderCheck(locking()), "check");
    return deepProblems(assessDeep(machine.host.name, { stdout, complaint: stderr }));
  };
  const switchTo = async (autolock: boolean): Promise<string> =>
    machine.must(machine.there(renderAutolock({ host: machine.host.name, autolock })));

  it("is named by a check until it locks, and says nothing of its key", async () => {
    assert.deepEqual(await differences(), ["host host1: autolock: autolock is false, not true"]);
    const said = await switchTo(true);
    assert.equal(said, "changed: managers lock what they keep\n");
    assert.equal(await switchTo(true), "unchanged: autolock\n");
    assert.deepEqual(await differences(), []);
  });

  it("does not restart its manager by itself", async () => {
    const apt = await machine.inside("apt-config", "dump", "Unattended-Upgrade::Automatic-Reboot");
    assert.match(apt, /"false"/);
  });

  it("keeps its key where the operator says", async () => {
    const { code, said } = await unlock("--save");
    assert.equal(code, 0, said);
    assert.doesNotMatch(said, /SWMKEY/);
  });

  it("waits for the key after a restart, says so, and takes it", async () => {
    await restart();
    assert.equal(await state(), "locked");
    assert.deepEqual(await differences(), ["host host1: autolock: is locked since its restart"]);
    const { code, stderr } = await machine.here(join_(), "join");
    assert.equal(code, 1);
    assert.match(stderr, /is locked since its restart; run "npm run berth -- unlock one"/);

    assert.deepEqual(await unlock(), { code: 0, said: "host1: unlocked\n" });
    assert.equal(await state(), "active");
    assert.match(await machine.inside("docker", "node", "ls"), /Leader/);
    assert.deepEqual(await unlock(), { code: 0, said: "no manager is locked\n" });
  });

  it("takes a new key, which is kept where the old one was, and is not opened by that any more", async () => {
    const old = await readFile(join(machine.root, "sealed"), "utf8");
    const { code, said } = await unlock("--rotate");
    assert.equal(code, 0, said);
    assert.match(said, /^replaced; .*\nkept as the secret berth:unlockKey in /);
    assert.doesNotMatch(said, /SWMKEY/);
    const kept = await readFile(join(machine.root, "sealed"), "utf8");
    assert.match(kept, /^SWMKEY-1-/);
    assert.notEqual(kept, old);
    await restart();
    await writeFile(join(machine.root, "sealed"), old);
    assert.equal((await unlock()).code, 1);
    await writeFile(join(machine.root, "sealed"), kept);
    assert.deepEqual(await unlock(), { code: 0, said: "host1: unlocked\n" });
  });

  it("stays locked for a key that does not fit", async () => {
    await restart();
    await writeFile(join(machine.root, "sealed"), `SWMKEY-1-${Buffer.alloc(32).toString("base64").replace("=", "")}`);
    const { code, said } = await unlock();
    assert.equal(code, 1);
    assert.match(said, /^host1: stays locked, got /);
    assert.doesNotMatch(said, /SWMKEY/);
    assert.equal(await state(), "locked");
  });
});
