import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pinnedVersion, renderGoMod } from "../../lab/engine.ts";
import { until } from "../support/until.ts";

const version = pinnedVersion();
const module_ = join(import.meta.dirname, "../../lab/engine.ts");

/** Stands for Go: it knows the engine's module, and what it builds is a script that says its version. */
const fakeGo = `#!/bin/sh
set -eu
echo "$1 $PPID" >> "$MARKS/go"
case $1 in
  version) echo "go version go1.26.6 linux/amd64" ;;
  mod) printf 'go 1.25.11\\n' > "$MARKS/upstream.mod"; printf '{ "GoMod": "%s" }' "$MARKS/upstream.mod" ;;
  build)
    grep -q 'github.com/pulumi/pulumi/pkg/v3 v${version}' go.mod
    if [ -e "$MARKS/hold" ]; then touch "$MARKS/held"; while [ -e "$MARKS/hold" ]; do sleep 0.05; done; fi
    while [ "$1" != -o ]; do shift; done
    printf '#!/bin/sh\\necho v%s\\n' "\${BUILT_VERSION:-${version}}" > "$2"; chmod +x "$2" ;;
esac
`;

describe("finding the engine", function () {
  this.timeout(30_000);
  let directory: string;
  let bin: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "berth-find-"));
    bin = join(directory, "bin");
    mkdirSync(bin);
    executable("go", fakeGo);
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  function executable(name: string, text: string): void {
    mkdirSync(join(directory, "bin", name, ".."), { recursive: true });
    writeFileSync(join(bin, name), text, { mode: 0o755 });
  }

  function start(env: object = {}, mode = "auto"): ChildProcess {
    const lab = { directory: join(directory, "lab"), cache: join(directory, "cache") };
    const script = `
      import { ensureEngine } from ${JSON.stringify(module_)};
      const engine = await ensureEngine(${JSON.stringify(lab)}, (step) => console.error(step), ${JSON.stringify(mode)});
      console.log(JSON.stringify(engine));`;
    return spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
      env: { PATH: `${bin}:/usr/bin:/bin`, HOME: directory, MARKS: directory, ...env },
    });
  }

  async function end(child: ChildProcess) {
    const texts = { stdout: "", stderr: "" };
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => (texts.stdout += chunk));
    child.stderr!.setEncoding("utf8").on("data", (chunk: string) => (texts.stderr += chunk));
    await once(child, "close");
    const engine = texts.stdout === "" ? undefined : (JSON.parse(texts.stdout) as Found);
    return { engine, stderr: texts.stderr };
  }

  interface Found {
    readonly pulumi: { readonly kind: string; readonly path: string };
    readonly plugins: readonly { readonly name: string; readonly kind: string; readonly version: string }[];
    readonly path: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly summary: readonly string[];
  }

  const cached = () => join(directory, "cache/engine", version, "pulumi");
  const goCalls = (what: string) =>
    existsSync(join(directory, "go"))
      ? readFileSync(join(directory, "go"), "utf8")
          .split("\n")
          .filter((line) => line.startsWith(what)).length
      : 0;

  it("takes the one on PATH when its version is the pinned one", async () => {
    executable("pulumi", `#!/bin/sh\necho v${version}\n`);
    const { engine } = await end(start());
    assert.deepEqual([engine?.pulumi.kind, engine?.pulumi.path], ["official", join(bin, "pulumi")]);
    assert.equal(goCalls("build"), 0);
  });

  it("leaves another version alone, says so, and builds", async () => {
    executable("pulumi", "#!/bin/sh\necho v3.1.0\n");
    const { engine, stderr } = await end(start());
    assert.deepEqual([engine?.pulumi.kind, engine?.pulumi.path], ["built", cached()]);
    assert.match(stderr, new RegExp(`bin/pulumi is version 3.1.0, not the pinned ${version}: it is left alone`));
    assert.match(stderr, /building it from its Go module/);
  });

  it("builds once and finds it in the cache from then on", async () => {
    assert.equal((await end(start())).engine?.pulumi.path, cached());
    assert.equal((await end(start())).stderr, "");
    assert.equal(goCalls("build"), 1);
    assert.deepEqual(readdirSync(join(directory, "cache/engine")), [version], "nothing else is left");
  });

  it("lets a second process wait for the first one's build", async () => {
    writeFileSync(join(directory, "hold"), "");
    const first = end(start());
    await until("the first one builds", 20_000, () => held());
    const waiting = start();
    const second = end(waiting);
    await once(waiting.stderr!, "data");
    rmSync(join(directory, "hold"));
    const results = await Promise.all([first, second]);
    assert.match(results[1].stderr, /waiting for process \d+, which is building the same engine/);
    assert.deepEqual(
      results.map(({ engine }) => engine?.pulumi.path),
      [cached(), cached()],
    );
    assert.equal(goCalls("build"), 1);
  });

  it("starts over after a build that was killed", async () => {
    writeFileSync(join(directory, "hold"), "");
    const killed = start();
    const over = once(killed, "close");
    await until("it builds", 20_000, () => held());
    killed.kill("SIGKILL");
    await over;
    rmSync(join(directory, "hold"));
    assert.equal(existsSync(cached()), false);
    assert.equal((await end(start())).engine?.pulumi.path, cached());
    await until("nothing is left", 5000, () =>
      Promise.resolve(readdirSync(join(directory, "cache/engine")).length === 1 || undefined),
    );
  });

  it("does not keep a build that is not what was asked for", async () => {
    const { engine, stderr } = await end(start({ BUILT_VERSION: "3.0.0" }));
    assert.equal(engine, undefined);
    assert.match(stderr, new RegExp(`calls itself 3.0.0, not ${version}`));
    assert.equal(existsSync(cached()), false);
  });

  it("repeats the module's own replacements, but not those of its repository", () => {
    const upstream = `module x

go 1.25.11

replace github.com/pulumi/pulumi/sdk/v3 => ../sdk

replace github.com/a/b => github.com/c/d v0.0.0-2024-abc

replace (
	github.com/e/f v1.0.0 => github.com/g/h v1.0.1
	github.com/i/j => ./local
)
`;
    assert.equal(
      renderGoMod(upstream, "3.259.0"),
      `module engine

go 1.25.11

require github.com/pulumi/pulumi/pkg/v3 v3.259.0

replace github.com/a/b => github.com/c/d v0.0.0-2024-abc
replace github.com/e/f v1.0.0 => github.com/g/h v1.0.1
`,
    );
  });

  describe("and its plugins", () => {
    beforeEach(() => {
      executable("pulumi", `#!/bin/sh\necho v${version}\n`);
    });
    const kinds = (engine: Found | undefined) =>
      Object.fromEntries(engine!.plugins.map(({ name, kind }) => [name, kind]));
    const links = () => readdirSync(join(directory, "lab/bin")).sort();
    const all = ["cloudflare", "command", "docker", "random"].map((name) => `pulumi-resource-${name}`);

    it("takes stand-ins where there is nothing else, from a directory of their own", async () => {
      const { engine } = await end(start());
      assert.deepEqual(new Set(Object.values(kinds(engine))), new Set(["stand-in"]));
      assert.deepEqual(engine?.path, [join(directory, "lab/bin"), bin]);
      assert.deepEqual(links(), ["pulumi-language-nodejs", ...all]);
      assert.deepEqual(engine.env, { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" });
      assert.match(engine.summary.at(-1)!, /^stand-in plugins: nodejs [\d.]+, random [\d.]+, command 1\.2\.1/);
    });

    it("never shadows an official one: on PATH, beside the engine, in the plugin directory", async () => {
      await end(start()); // Lays out all stand-ins first.
      executable("pulumi-language-nodejs", `#!/bin/sh\necho ${version}\n`);
      executable("pulumi-resource-random", "#!/bin/sh\necho 4.20.0\n");
      executable("../.pulumi/plugins/resource-command-v1.2.1/pulumi-resource-command", "#!/bin/sh\n");
      executable("../.pulumi/plugins/resource-docker-v4.0.0/pulumi-resource-docker", "#!/bin/sh\n");
      executable(
        "pulumi-resource-cloudflare",
        '#!/bin/sh\necho "flag provided but not defined: -version" >&2; exit 2\n',
      );
      const { engine } = await end(start());
      assert.deepEqual(kinds(engine), {
        nodejs: "official",
        random: "official",
        command: "official",
        docker: "stand-in",
        cloudflare: "official",
      });
      const versionOf = (plugin: string) => engine?.plugins.find(({ name }) => name === plugin)?.version;
      assert.equal(versionOf("random"), "4.20.0");
      assert.equal(versionOf("cloudflare"), "of a version that it does not tell");
      assert.deepEqual(links(), ["pulumi-resource-docker"]);
    });

    it("does not take a stand-in on PATH for an official plugin", async () => {
      const first = (await end(start())).engine!;
      const { engine } = await end(start({ PATH: `${first.path.join(":")}:/usr/bin:/bin` }));
      assert.deepEqual(kinds(engine), kinds(first));
    });

    it("uses nothing but stand-ins when told to, links that start", async () => {
      executable("pulumi-resource-random", "#!/bin/sh\necho 4.20.0\n");
      const { engine } = await end(start({}, "stand-in"));
      assert.deepEqual(new Set(Object.values(kinds(engine))), new Set(["stand-in"]));
      assert.match(realpathSync(join(directory, "lab/bin/pulumi-resource-random")), /lab\/plugins\/bin\/stand-in$/);
    });

    it("refuses stand-ins when told to, naming each missing plugin with its cure", async () => {
      executable("pulumi-resource-random", "#!/bin/sh\necho 4.20.0\n");
      const { engine, stderr } = await end(start({}, "official"));
      assert.equal(engine, undefined);
      assert.match(stderr, /pulumi-resource-command 1\.2\.1: pulumi plugin install resource command 1\.2\.1/);
      assert.match(stderr, /pulumi-resource-docker [\d.]+: pulumi plugin install resource docker/);
      assert.match(stderr, /pulumi-language-nodejs [\d.]+: comes with the official pulumi/);
      assert.doesNotMatch(stderr, /resource-random/);
    });
  });

  function held(): Promise<true | undefined> {
    return Promise.resolve(existsSync(join(directory, "held")) || undefined);
  }
});
