import assert from "node:assert/strict";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import languagePb from "@pulumi/pulumi/proto/language_pb.js";
import struct from "google-protobuf/google/protobuf/struct_pb.js";
import { parseOptions, splitWords } from "../../lab/plugins/language/options.ts";
import { programDependencies, requiredPlugins } from "../../lab/plugins/language/packages.ts";
import { programArguments, programConfig } from "../../lab/plugins/language/run.ts";

describe("language host: runtime options", () => {
  const parse = (options: Parameters<typeof struct.Struct.fromJavaScript>[0]) =>
    parseOptions(struct.Struct.fromJavaScript(options));

  it("compiles TypeScript unless it is told not to", () => {
    assert.equal(parseOptions(undefined).typescript, true);
    assert.equal(parse({ typescript: false }).typescript, false);
  });

  it("splits node arguments as a shell does", () => {
    const line = String.raw`--a=1  '--b=x y' "--c=\"q\" z" --d\ e ''`;
    assert.deepEqual(splitWords(line), ["--a=1", "--b=x y", '--c="q" z', "--d e", ""]);
    assert.throws(() => splitWords("--a='x"), {
      message: "nodeargs: a quote or a backslash is not closed, got --a='x",
    });
  });

  it("rejects options of the wrong type and unknown package managers", () => {
    assert.throws(() => parse({ typescript: "no" }), { message: "typescript option must be a boolean" });
    assert.throws(() => parse({ nodeargs: 1 }), { message: "nodeargs option must be a string" });
    assert.throws(() => parse({ packagemanager: "cargo" }), {
      message: "packagemanager option must be one of auto, npm, yarn, pnpm or bun, got cargo",
    });
  });
});

describe("language host: packages", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "berth-packages-"));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });
  const write = (path: string, content: object) => {
    mkdirSync(join(directory, path), { recursive: true });
    writeFileSync(join(directory, path, "package.json"), JSON.stringify(content));
  };

  it("asks for the plugins of direct dependencies only, at the version of each SDK", () => {
    write(".", { dependencies: { "@pulumi/random": "*", "@pulumi/pulumi": "*", "@acme/thing": "*", absent: "*" } });
    write("node_modules/@pulumi/random", { name: "@pulumi/random", version: "4.21.2", pulumi: { resource: true } });
    write("node_modules/@pulumi/pulumi", { name: "@pulumi/pulumi", version: "3.259.0" });
    write("node_modules/@pulumi/aws", { name: "@pulumi/aws", version: "7.0.0", pulumi: { resource: true } });
    const thing = { resource: true, name: "thing", version: "v1.0.0", server: "https://plugins.test" };
    write("node_modules/@acme/thing", { name: "@acme/thing", version: "1.0.0-npm", pulumi: thing });
    write("program", { type: "module" });
    assert.deepEqual(requiredPlugins(directory), [
      { name: "random", version: "v4.21.2", server: "" },
      { name: "thing", version: "v1.0.0", server: "https://plugins.test" },
    ]);
    assert.deepEqual(requiredPlugins(join(directory, "program")), [], "the nearest package.json decides");
  });

  it("names the package whose plugin it can't tell", () => {
    write(".", { dependencies: { "@acme/thing": "*" } });
    write("node_modules/@acme/thing", { version: "1.0.0", pulumi: { resource: true } });
    assert.throws(() => requiredPlugins(directory), /^Error: @acme\/thing: its package.json has no pulumi.name/);
  });

  it("lists installed versions from the lock file", () => {
    write(".", {});
    const packages = {
      "": { dependencies: { a: "^1" }, devDependencies: { b: "^2" } },
      "node_modules/a": { version: "1.2.3" },
      "node_modules/b": { version: "2.0.0" },
      "node_modules/b/node_modules/a": { version: "0.9.0" },
    };
    writeFileSync(join(directory, "package-lock.json"), JSON.stringify({ packages }));
    const [a, b] = [
      { name: "a", version: "1.2.3" },
      { name: "b", version: "2.0.0" },
    ];
    assert.deepEqual(programDependencies(directory, false), [a, b]);
    assert.deepEqual(programDependencies(directory, true), [a, b, { name: "a", version: "0.9.0" }]);
  });
});

describe("language host: the program's process", () => {
  const info = new languagePb.ProgramInfo()
    .setRootDirectory("/r")
    .setProgramDirectory("/r/p")
    .setEntryPoint("index.ts");
  const request = () => new languagePb.RunRequest().setInfo(info).setProject("p").setStack("s").setParallel(16);

  it("is called as the official host calls it", () => {
    const full = request().setMonitorAddress("m:1").setOrganization("o").setDryrun(true).setArgsList(["x"]);
    const line =
      "--monitor m:1 --engine e:2 --organization o --project p --root-directory /r --stack s --pwd /r/p --dry-run --parallel 16 index.ts x";
    assert.deepEqual(programArguments(full, "e:2"), line.split(" "));
    assert.ok(!programArguments(request(), "e:2").includes("--dry-run"));
  });

  it("gets configuration keys in the form that the SDK reads", () => {
    const given = request();
    given.getConfigMap().set("p:a", "1").set("p:config:b", "2").set("q:c:d", "3");
    assert.deepEqual(programConfig(given), { "p:config:a": "1", "p:config:b": "2", "q:config:c:d": "3" });
    given.getConfigMap().set("plain", "x");
    assert.throws(() => programConfig(given), { message: "could not parse plain as a configuration key" });
  });
});
