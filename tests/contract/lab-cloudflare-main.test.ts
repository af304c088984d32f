import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { cloudflareSources } from "../../lab/parts.ts";

const root = join(import.meta.dirname, "../..");
const main = join(root, "lab/cloudflare/main.ts");
const zoneId = "5f0c0ffee0ddba11deadbeef00112233";

describe("the lab's Cloudflare as a process", () => {
  let directory: string;
  let args: string[];
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "berth-cloudflare-"));
    const files = ["--token-file", join(directory, "tokens"), "--data", join(directory, "data.json")];
    await writeFile(join(directory, "tokens"), "some-token-some-token-some-token-some-token\n");
    args = ["--zone", "palmistry.test", "--zone-id", zoneId, ...files, "--http", "127.0.0.1:0", "--dns", "127.0.0.1:0"];
  });
  after(() => rm(directory, { recursive: true }));

  it("says where it listens, serves, and ends on SIGTERM, from nothing but what its container has", async () => {
    for (const path of cloudflareSources) await cp(join(root, path), join(directory, path), { recursive: true });
    for (const path of ["package.json", "node_modules"]) await symlink(join(root, path), join(directory, path));
    const there = join(directory, "lab/cloudflare/main.ts");
    const child = spawn(process.execPath, ["--preserve-symlinks", there, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    try {
      const [line] = (await once(createInterface(child.stdout), "line")) as [string];
      const port = /^ready: http (\d+), dns \d+$/.exec(line)?.[1];
      assert.ok(port, line);
      assert.equal((await fetch(`http://127.0.0.1:${port}/lab/health`)).status, 200);
    } finally {
      child.kill("SIGTERM");
    }
    assert.deepEqual(await ended, [0, null]);
  });

  const without = (flag: string) => args.filter((arg, index) => arg !== flag && args[index - 1] !== flag);
  for (const [title, change, message] of [
    ["a zone without its id", () => without("--zone-id"), /--zone, --zone-id: need one of each, got 1 and 0/],
    ["an id that is none", () => [...without("--zone-id"), "--zone-id", "1"], /must be 32 hexadecimal digits, got "1"/],
    ["a missing token file", () => without("--token-file"), /--token-file: missing/],
    ["an address without port", () => [...without("--http"), "--http", "::"], /--http: must be host:port, got "::"/],
    ["an unknown flag", () => [...args, "--zones", "x"], /Unknown option '--zones'/],
  ] as const)
    it(`rejects ${title}`, async () => {
      const run = promisify(execFile)(process.execPath, [main, ...change()]);
      await assert.rejects(run, (error: { code: number; stderr: string }) => {
        assert.equal(error.code, 1);
        assert.match(error.stderr, message);
        return true;
      });
    });
});
