import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { labEnvironment, processEnvironment, renderExports } from "../../lab/environment.ts";

const environment = labEnvironment({
  lab: { stack: "local", root: "/re po", directory: "/re po/.lab/local", cache: "/cache" },
  engine: { path: ["/re po/.lab/local/bin", "/engine"], env: { EXTRA: "it's" } },
  cloudflare: { baseUrl: "http://127.0.0.1:1/client/v4", token: "t" },
});

describe("environment of the lab", () => {
  it("names all that plain pulumi needs", () => {
    assert.deepEqual(environment, {
      PATH: "/re po/node_modules/.bin:/re po/.lab/local/bin:/engine",
      PULUMI_BACKEND_URL: "file:///re po/.lab/local/state",
      PULUMI_CONFIG_PASSPHRASE_FILE: "/re po/.lab/local/passphrase",
      PULUMI_STACK: "local",
      CLOUDFLARE_BASE_URL: "http://127.0.0.1:1/client/v4",
      CLOUDFLARE_API_TOKEN: "t",
      NODE_COMPILE_CACHE: "/cache/node",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      EXTRA: "it's",
    });
  });

  it("is a list of export lines that any shell takes, blanks and quotes included", () => {
    const exports = renderExports(environment);
    assert.ok(exports.split("\n").every((line) => line === "" || line.startsWith("export ")));
    const script = `${exports}printf '%s\\n' "$PATH" "$EXTRA"`;
    const [path, extra] = execFileSync("/bin/sh", ["-c", script], { encoding: "utf8", env: { PATH: "/bin" } }).split(
      "\n",
    );
    assert.equal(path, "/re po/node_modules/.bin:/re po/.lab/local/bin:/engine:/bin");
    assert.equal(extra, "it's");
  });

  it("does not let a passphrase of the user's shell win over the lab's", () => {
    process.env["PULUMI_CONFIG_PASSPHRASE"] = "mine";
    try {
      assert.equal(processEnvironment(environment)["PULUMI_CONFIG_PASSPHRASE"], undefined);
    } finally {
      delete process.env["PULUMI_CONFIG_PASSPHRASE"];
    }
  });
});
