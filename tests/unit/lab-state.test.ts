import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { withLock } from "../../lab/lock.ts";
import { freePorts, isPortTaken, keepPorts, once, writeFileAtomic } from "../../lab/state.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "berth-lab-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe("files of the lab", () => {
  it("are left alone when their text is the same", async () => {
    const path = join(directory, "deep", "file");
    assert.equal(await writeFileAtomic(path, "text"), true);
    await utimes(path, 1, 1);
    assert.equal(await writeFileAtomic(path, "text"), false);
    assert.equal((await stat(path)).mtimeMs, 1000);
  });

  it("appear whole, with their mode, and without leftovers", async () => {
    const path = join(directory, "secret");
    await writeFileAtomic(path, "one", 0o600);
    await writeFileAtomic(path, "two", 0o600);
    assert.equal(await readFile(path, "utf8"), "two");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(directory), ["secret"]);
  });

  it("are made once when they are to be kept", async () => {
    const path = join(directory, "passphrase");
    assert.equal(await once(path, () => "first"), "first");
    assert.equal(await once(path, () => "second"), "first");
  });
});

describe("ports of the lab", () => {
  it("stay the same from run to run, and new purposes get new ones", async () => {
    const path = join(directory, "ports.json");
    const first = await keepPorts(path, ["ssh"]);
    const second = await keepPorts(path, ["ssh", "registry"]);
    assert.equal(second.ssh, first.ssh);
    assert.notEqual(second.registry, second.ssh);
  });

  it("are all different, and none that Linux or Docker gives away by itself", async () => {
    const ports = await freePorts(8);
    assert.equal(new Set(ports).size, 8);
    assert.ok(Math.max(...ports) < 32768, ports.join(", "));
  });

  it("are nobody else's as long as the process lives that was given them", async () => {
    const [port = 0] = await freePorts(1);
    const name = JSON.stringify(`\0berth-port-${port}`);
    const other = `require("node:net").createServer().on("error", ({ code }) => console.log(code)).listen(${name}, () => process.exit(console.log("free")))`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--eval", other]);
    assert.equal(stdout, "EADDRINUSE\n");
  });

  it("count as taken while something listens there", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    assert.equal(await isPortTaken(port), true);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await isPortTaken(port), false);
  });
});

describe("lock of a lab", () => {
  it("refuses a second run and names the first", async () => {
    await withLock(directory, async () => {
      await assert.rejects(
        withLock(directory, () => Promise.resolve()),
        new RegExp(`worked on by process ${process.pid}; wait for it or end it`),
      );
    });
  });

  it("is free again after the work, also when that failed", async () => {
    await assert.rejects(withLock(directory, () => Promise.reject(new Error("no"))));
    assert.equal(await withLock(directory, () => Promise.resolve("done")), "done");
    assert.deepEqual(await readdir(directory), []);
  });

  it("is taken over when its owner is gone", async () => {
    // No process has this number: it is above the kernel's largest.
    await writeFile(join(directory, "lock"), String(2 ** 22 + 1));
    assert.equal(await withLock(directory, () => Promise.resolve("done")), "done");
  });
});
