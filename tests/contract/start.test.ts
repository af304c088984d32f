import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");

/** What Pulumi.yaml has loaded before the program. */
function afterQuickStart(script: string): string {
  const args = ["--require", "./components/shared/quick-start.cjs", "--input-type=commonjs", "--eval", script];
  return execFileSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

describe("the start of the program", () => {
  const loaded = "Object.keys(require.cache).some((file) => file.includes(name))";

  it("leaves out what only dynamic providers need", () => {
    const cache = "/node_modules/cacache/";
    const script = `require("@pulumi/pulumi"); const name = ${JSON.stringify(cache)}; console.log(${loaded})`;
    assert.equal(afterQuickStart(script), "false");
    assert.equal(execFileSync(process.execPath, ["--eval", script], { cwd: root, encoding: "utf8" }).trim(), "true");
  });

  it("has read neither npm's tree nor the compiler of it", () => {
    const script = `
      require("@pulumi/pulumi");
      const sdk = require("node:module").createRequire(require.resolve("@pulumi/pulumi/package.json"));
      const { isProxy } = require("node:util").types;
      console.log(["typescript", "@npmcli/arborist"].map((name) => isProxy(require.cache[sdk.resolve(name)].exports)).join())`;
    assert.equal(afterQuickStart(script), "true,true");
  });

  it("has it all the same when it is used", () => {
    const script = `
      const pulumi = require("@pulumi/pulumi");
      const { createRequire } = require("node:module");
      const sdk = createRequire(require.resolve("@pulumi/pulumi/package.json"));
      const { Arborist } = sdk("@npmcli/arborist");
      const seven = 7;
      pulumi.runtime
        .serializeFunction(() => seven)
        .then(({ text }) => console.log(typeof new Arborist({ path: "." }).loadActual, text.includes("seven")))`;
    assert.equal(afterQuickStart(script), "function true");
  });

  it("attaches no debugger to itself", () => {
    const script = `
      process.argv.push("run", "--monitor=127.0.0.1:1", "--engine=127.0.0.1:1", "no-such-program.js");
      require("@pulumi/pulumi/cmd/run/index.js");
      // After the SDK's own, which makes a failure of what finds no engine.
      process.on("exit", () => {
        console.log(process.moduleLoadList.includes("NativeModule inspector"));
        process.exitCode = 0;
      });`;
    assert.equal(afterQuickStart(script), "false");
  });

  it("leaves stack traces as Node makes them", () => {
    // Without an engine to report to it ends right away, but not before it has set up what it wants to.
    const script = `
      const own = Error.prepareStackTrace;
      process.on("exit", () => {
        console.log(Error.prepareStackTrace === own);
        process.exitCode = 0;
      });
      require("@pulumi/pulumi/cmd/run/index.js")`;
    assert.equal(afterQuickStart(script), "true");
  });
});

describe("the start of a stand-in plugin", () => {
  let directory: string;
  beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "berth-start-"))));
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  it("keeps what was compiled for the next one, when the engine interrupts it", async () => {
    const plugin = spawn(join(root, "lab/plugins/bin/pulumi-resource-random"), ["127.0.0.1:1"], {
      env: { ...process.env, NODE_COMPILE_CACHE: directory },
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(plugin.stdout, "data");
    plugin.kill("SIGINT");
    const [code] = (await once(plugin, "close")) as [number | null];
    assert.equal(code, 0);
    assert.ok(readdirSync(directory, { recursive: true }).length > 50);
  });
});
