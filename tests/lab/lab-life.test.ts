import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { labLabel } from "../../lab/docker.ts";
import { exists, freePorts, writeFileAtomic } from "../../lab/state.ts";

const root = join(import.meta.dirname, "../..");

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly seconds: number;
}

/** Runs `lab/main.ts`; sends SIGINT as soon as the output matches `interruptAt`. */
async function lab(args: readonly string[], interruptAt?: RegExp): Promise<Ended> {
  const started = performance.now();
  const child = spawn(process.execPath, ["lab/main.ts", ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let interrupted = false;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      if (interrupted || interruptAt?.test(output) !== true) return;
      interrupted = true;
      child.kill("SIGINT");
    });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject).once("close", resolve);
  });
  assert.equal(interrupted, interruptAt !== undefined, `never said ${String(interruptAt)}:\n${output}`);
  return { code, output, seconds: (performance.now() - started) / 1000 };
}

async function sh(script: string): Promise<{ code: number | null; output: string }> {
  const child = spawn("/bin/sh", ["-c", script], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}

/** Names of what this lab has in Docker, and how many objects other labs have. */
async function objects(name: string): Promise<{ own: string[]; others: string[] }> {
  const docker = new Docker();
  const filters = { label: [labLabel] };
  const containers = await docker.listContainers({ all: true, filters });
  const networks = await docker.listNetworks({ filters });
  const { Volumes } = await docker.listVolumes();
  const found = [
    ...containers.map(({ Id, Labels }) => ({ id: Id, lab: Labels[labLabel] })),
    ...networks.map(({ Id, Labels }) => ({ id: Id, lab: Labels?.[labLabel] })),
    ...Volumes.map(({ Name, Labels }) => ({ id: Name, lab: (Labels as Record<string, string> | null)?.[labLabel] })),
  ];
  return {
    own: found.filter((each) => each.lab === name).map(({ id }) => id),
    others: found.filter((each) => each.lab !== undefined && each.lab !== name).map(({ id }) => id),
  };
}

describe("the life of a lab", function () {
  this.timeout(900_000);
  const name = `t-${randomBytes(4).toString("hex")}`;
  const directory = join(root, ".lab", name);
  let http: number;
  let up: string[];

  before(async () => {
    const [one = 0, other = 0] = await freePorts(2);
    http = one;
    up = ["up", "--name", name, "--http-port", String(one), "--https-port", String(other)];
    // Should this process be killed, the next test run removes the lab.
    await writeFileAtomic(join(directory, "owner"), String(process.pid));
  });
  after(async () => {
    if (await exists(directory)) await lab(["down", "--name", name]);
  });

  it("refuses a port that someone else has, names the cure and starts nothing", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(http, "127.0.0.1", resolve));
    const { code, output } = await lab(up);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(code, 1);
    assert.match(
      output,
      new RegExp(`127.0.0.1:${http}: another program listens there; .* LAB_HTTP_PORT=\\d+ npm run lab`),
    );
    assert.deepEqual((await objects(name)).own, []);
  });

  it("has nothing to export before it is up", async () => {
    const { code, output } = await lab(["env", "--name", name]);
    assert.equal(code, 1);
    assert.equal(output, `lab: no lab called ${name} runs palmistry; npm run lab makes it\n`);
  });

  it("ends on Ctrl-C, whatever it is at, and says what is next", async () => {
    for (const moment of [/registry created/, /pushing postgres/, /fleet-host1-engine creating/]) {
      const { code, output } = await lab(up, moment);
      assert.equal(code, 130, output);
      assert.match(output, /lab: interrupted; `npm run lab` goes on from here, `npm run lab:down` removes/);
    }
    assert.equal(await exists(join(directory, "lock")), false);
  });

  it("goes on where it was interrupted and prints a line that shows it works", async () => {
    const { code, output } = await lab(up);
    assert.equal(code, 0, output);
    assert.match(output, /^engine: pulumi \d/m);
    assert.match(output, /^(official|stand-in) plugins: .*docker/m);
    assert.match(output, /^docker [\d.]+ s, .*pulumi up [\d.]+ s/m);
    const curl = /^ {2}(curl .*)$/m.exec(output)?.[1] ?? "";
    assert.equal((await sh(`${curl} --silent --show-error`)).output, "1.0.0");
  });

  it("changes nothing when it runs again, clears a lock whose owner is gone, and is quick", async () => {
    const locks = join(directory, "state", ".pulumi", "locks", "organization", "berth", name);
    await mkdir(locks, { recursive: true });
    const dead = { pid: 2 ** 22 + 1, username: "someone", hostname: hostname(), timestamp: "2026-01-01T00:00:00Z" };
    await writeFile(join(locks, "0000.json"), JSON.stringify(dead));
    const look = async () => ({
      objects: (await objects(name)).own.sort(),
      stackFile: (await stat(join(directory, `Pulumi.${name}.yaml`))).mtimeMs,
      environment: (await stat(join(directory, "env.sh"))).mtimeMs,
    });
    const before = await look();
    const { code, output, seconds } = await lab(up);
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
    const { own } = await objects(name);
    const { code, output } = await lab([...up.slice(0, 4), String(other), ...up.slice(5)]);
    assert.equal(code, 1);
    assert.match(output, /was made with other settings .* remove the lab first: npm run lab:down/);
    assert.deepEqual((await objects(name)).own.sort(), own.sort());
  });

  it("is gone after down, with all its files, and other labs are not", async () => {
    const { others } = await objects(name);
    const { code, output } = await lab(["down", "--name", name]);
    assert.equal(code, 0, output);
    assert.match(output, /Kept, for the next lab: /);
    const left = await objects(name);
    assert.deepEqual(left.own, []);
    assert.deepEqual(
      others.filter((each) => !left.others.includes(each)),
      [],
    );
    assert.equal(await exists(directory), false);
    assert.equal(await exists(join(root, ".berth", name)), false);
  });
});
