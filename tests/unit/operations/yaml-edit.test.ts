import assert from "node:assert/strict";
import fc from "fast-check";
import { parse, stringify } from "yaml";
import { setValue } from "../../../operations/yaml-edit.ts";

const stackFile = `# who changes this asks the platform team
encryptionsalt: v1:abc=
config:
  berth:system: palmistry   # the folder
  berth:images:
    # speaks to the phones
    api: "registry.test/palmistry-api:1.0.0@sha256:aa"  # keep two versions
    web: registry.test/palmistry-web:1.0.0

  # sizes
  berth:services: { api: { replicas: 3 }, worker: {} }
  berth:limits:
  palmistry:OPENAI_API_KEY:
    secure: v1:zz==
`;

/** The lines that differ, as `- old` and `+ new`. */
function changedLines(before: string, after: string): string[] {
  const [old, fresh] = [before.split("\n"), after.split("\n")];
  let head = 0;
  while (head < Math.min(old.length, fresh.length) && old[head] === fresh[head]) head++;
  let tail = 0;
  while (tail < Math.min(old.length, fresh.length) - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail++;
  const changed = (lines: string[]) => lines.slice(head, lines.length - tail);
  return [...changed(old).map((line) => `- ${line}`), ...changed(fresh).map((line) => `+ ${line}`)];
}

function change(path: string[], value: unknown, text = stackFile): string[] {
  return changedLines(text, setValue(text, ["config", ...path], value));
}

describe("editing one value of a YAML file", () => {
  it("keeps quotes and the comment behind a value", () => {
    assert.deepEqual(change(["berth:images", "api"], "registry.test/palmistry-api:1.1.0@sha256:bb"), [
      '-     api: "registry.test/palmistry-api:1.0.0@sha256:aa"  # keep two versions',
      '+     api: "registry.test/palmistry-api:1.1.0@sha256:bb"  # keep two versions',
    ]);
  });

  it("adds a key behind the last one of its map, before the blank line", () => {
    assert.deepEqual(change(["berth:images", "worker"], "registry.test/palmistry-worker:1.0.0"), [
      "+     worker: registry.test/palmistry-worker:1.0.0",
    ]);
  });

  it("adds a key to a map on one line", () => {
    assert.deepEqual(change(["berth:services", "web"], { replicas: 2 }), [
      "-   berth:services: { api: { replicas: 3 }, worker: {} }",
      "+   berth:services: { api: { replicas: 3 }, worker: {}, web: { replicas: 2 } }",
    ]);
  });

  it("changes only what differs in a map", () => {
    assert.deepEqual(change(["berth:services"], { api: { replicas: 5 }, worker: {} }), [
      "-   berth:services: { api: { replicas: 3 }, worker: {} }",
      "+   berth:services: { api: { replicas: 5 }, worker: {} }",
    ]);
  });

  it("removes a key and leaves the comments around it", () => {
    assert.deepEqual(change(["berth:images", "web"], undefined), ["-     web: registry.test/palmistry-web:1.0.0"]);
  });

  it("writes an empty map where the last key went", () => {
    const text = "config:\n  berth:limits:\n    api:\n      rate: 1 r/s\n  berth:domain: a.test\n";
    assert.deepEqual(change(["berth:limits", "api"], undefined, text), [
      "-   berth:limits:",
      "-     api:",
      "-       rate: 1 r/s",
      "+   berth:limits: {}",
    ]);
  });

  it("fills a key that had no value", () => {
    assert.deepEqual(change(["berth:limits", "api", "burst"], 5), ["+     api:", "+       burst: 5"]);
  });

  it("keeps Windows line ends", () => {
    const text = stackFile.replaceAll("\n", "\r\n");
    const edited = setValue(text, ["config", "berth:images", "worker"], "registry.test/w:1");
    assert.equal(edited.replaceAll("\r\n", "").includes("\n"), false);
    assert.equal(edited.split("\r\n")[8], "    worker: registry.test/w:1");
  });

  it("keeps a file without a last line end", () => {
    assert.equal(setValue("config:\n  a: 1", ["config", "b"], 2), "config:\n  a: 1\n  b: 2");
  });

  it("changes nothing when the value is already so", () => {
    assert.equal(setValue(stackFile, ["config", "berth:system"], "palmistry"), stackFile);
    assert.equal(setValue(stackFile, ["config", "berth:absent"], undefined), stackFile);
  });

  it("rejects an alias, whose text stands elsewhere", () => {
    const text = "config:\n  a: &pins\n    x: 1\n  b: *pins\n";
    assert.throws(() => setValue(text, ["config", "b", "x"], 2), {
      message: "config.b: is a YAML alias; write the values out",
    });
  });

  it("rejects text that is not YAML", () => {
    assert.throws(() => setValue("config: [", ["config", "a"], 1));
  });

  it("reads back as intended and leaves lines of other keys alone, whatever the maps hold", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
    const scalar = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constantFrom("1.0", "a: b", "- x", "# no", "null", ""),
    );
    const tree = fc.dictionary(
      name,
      fc.oneof(scalar, fc.dictionary(name, scalar, { maxKeys: 3, noNullPrototype: true })),
      { minKeys: 1, maxKeys: 5, noNullPrototype: true },
    );
    fc.assert(
      fc.property(tree, tree, fc.boolean(), (before, after, flow) => {
        const render = (value: unknown) =>
          stringify(value, { collectionStyle: flow ? "flow" : "any", lineWidth: 0 }).trimEnd();
        const inner = render(before).split("\n").join("\n    ");
        const text = `top: 1 # kept\nconfig:\n  pins:${flow ? " " : "\n    "}${inner}\n  # last\n  other: [1,  2]   # as typed\n`;
        const edited = setValue(text, ["config", "pins"], after);
        assert.deepEqual(parse(edited), { top: 1, config: { pins: after, other: [1, 2] } });
        assert.equal(edited.startsWith("top: 1 # kept\nconfig:\n  pins:"), true);
        assert.equal(edited.endsWith("\n  # last\n  other: [1,  2]   # as typed\n"), true);
      }),
      { numRuns: 50 },
    );
  });
});
