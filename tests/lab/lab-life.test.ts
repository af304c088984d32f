import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { labNamed } from "../../lab/settings.ts";
import { exists, freePorts, writeFileAtomic } from "../../lab/state.ts";
import { labCommand, objectsOf } from "./support/command.ts";
import { shareLab } from "./support/lab.ts";

const root = join(import.meta.dirname, "../..");

async function sh(script: string): Promise<{ code: number | null; output: string }> {
  const child = spawn("/bin/sh", ["-c", script], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

describe("the life of a lab", function () {
  this.timeout(900_000);
  const name = `t-${randomBytes(4).toString("hex")}`;
  const directory = join(root, ".lab", name);
  let ports: { http: number; https: number };
  let up: string[];
  let isUp = false;

  before(async () => {
    const [http = 0, https = 0] = await freePorts(2);
    ports = { http, https };
    up = ["up", "--name", name, "--http-port", String(http), "--https-port", String(https)];
    // Should this process be killed, the next test run removes the lab.
    await writeFileAtomic(join(directory, "owner"), String(process.pid));
  });
  after(async () => {
    // The tests that share a lab go on with this one: to bring up another takes a minute.
    if (isUp && shareLab(labNamed(name, root, ports))) return;
    if (await exists(directory)) await labCommand(["down", "--name", name]);
  });

  it("refuses a port that someone else has, names the cure and starts nothing", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(ports.http, "127.0.0.1", resolve));
    const { code, output } = await labCommand(up);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(code, 1);
    assert.match(
      output,
      new RegExp(`127.0.0.1:${ports.http}: another program listens there; .* LAB_HTTP_PORT=\\d+ npm run lab`),
    );
    assert.deepEqual(await objectsOf(name), []);
  });

  it("has nothing to export before it is up", async () => {
    const { code, output } = await labCommand(["env", "--name", name]);
    assert.equal(code, 1);
    assert.equal(output, `lab: no lab called ${name} runs palmistry; npm run lab makes it\n`);
  });

  it("ends on Ctrl-C, whatever it is at, and says what is next", async () => {
    for (const moment of [/registry created/, /pushing postgres/, /fleet-host1-engine creating/]) {
      const { code, output } = await labCommand(up, moment);
      assert.equal(code, 130, output);
      assert.match(output, /lab: interrupted; `npm run lab` goes on from here, `npm run lab:down` removes/);
    }
    assert.equal(await exists(join(directory, "lock")), false);
  });

  it("goes on where it was interrupted and prints a line that shows it works", async () => {
    const { code, output } = await labCommand(up);
    assert.equal(code, 0, output);
    assert.match(output, /^engine: pulumi \d/m);
    assert.match(output, /^(official|stand-in) plugins: .*docker/m);
    assert.match(output, /^docker [\d.]+ s, .*pulumi up [\d.]+ s/m);
    const curl = /^ {2}(curl .*)$/m.exec(output)?.[1] ?? "";
    assert.equal((await sh(`${curl} --silent --show-error`)).output, "1.0.0");
    isUp = true;
  });

  it("changes nothing when it runs again, clears a lock whose owner is gone, and is quick", async () => {
    const locks = join(directory, "state", ".pulumi", "locks", "organization", "berth", name);
    await mkdir(locks, { recursive: true });
    const dead = { pid: 2 ** 22 + 1, username: "someone", hostname: hostname(), timestamp: "2026-01-01T00:00:00Z" };
    await writeFile(join(locks, "0000.json"), JSON.stringify(dead));
    const look = async () => ({
      objects: await objectsOf(name),
      stackFile: (await stat(join(directory, `Pulumi.${name}.yaml`))).mtimeMs,
      environment: (await stat(join(directory, "env.sh"))).mtimeMs,
    });
    const before = await look();
    const { code, output, seconds } = await labCommand(up);
    assert.equal(code, 0, output);
    assert.deepEqual(await look(), before);
    assert.match(output, /lock was left behind by process \d+ of someone .* which is gone: cancelled/);
    assert.match(output, /Resources:\n {4}\d+ unchanged\n/);
    assert.ok(seconds < 60, `took ${seconds} s`);
    assert.deepEqual(await readdir(locks).catch(() => []), []);
  });

  it("exports what plain pulumi needs", async () => {
    const file = `--config-file .lab/${name}/Pulumi.${name}.yaml`;
    const exports = `eval "$("${process.execPath}" lab/main.ts env --name ${name})"`;
    const { code, output } = await sh(`${exports} && pulumi preview --expect-no-changes --non-interactive ${file}`);
    assert.equal(code, 0, output);
  });

  it("keeps its host when the ports it was made with are not those asked for", async () => {
    const [other = 0] = await freePorts(1);
    const own = await objectsOf(name);
    const { code, output } = await labCommand([...up.slice(0, 4), String(other), ...up.slice(5)]);
    assert.equal(code, 1);
    assert.match(output, /was made with other settings .* remove the lab first: npm run lab:down/);
    assert.deepEqual(await objectsOf(name), own);
  });
});
