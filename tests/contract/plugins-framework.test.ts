import assert from "node:assert/strict";
import { parseNested } from "../../lab/plugins/framework/config.ts";
import { changedPaths, isEqual, structuralDiff, touching, without } from "../../lab/plugins/framework/diff.ts";
import { formatPath, isWithin, parsePath, touches, valueAt } from "../../lab/plugins/framework/paths.ts";
import {
  any,
  boolean,
  list,
  map,
  misfits,
  number,
  object,
  oneOf,
  required,
  string,
} from "../../lab/plugins/framework/shape.ts";
import { unknown } from "../../lab/plugins/framework/types.ts";
import { decode, encode, union } from "../../lab/plugins/framework/wire.ts";

describe("plugin framework: paths", () => {
  it("writes and reads paths as Pulumi does", () => {
    const paths = {
      a: ["a"],
      "a.b-c[0].d": ["a", "b-c", 0, "d"],
      'labels["com.example.x"].y': ["labels", "com.example.x", "y"],
      '["quo\\"te"]': ['quo"te'],
    };
    for (const [text, path] of Object.entries(paths)) {
      assert.equal(formatPath(path), text);
      assert.deepEqual(parsePath(text), path);
    }
    assert.deepEqual(parsePath("a[*].*"), ["a", "*", "*"]);
  });

  it("knows what lies inside a pattern, and what touches it from outside too", () => {
    const [inside, outside, other] = [parsePath("a[1].b.c"), parsePath("a[1]"), parsePath("a[1].x")];
    const pattern = parsePath("a[*].b");
    assert.deepEqual(
      [inside, outside, other].map((path) => isWithin(path, pattern)),
      [true, false, false],
    );
    assert.deepEqual(
      [inside, outside, other].map((path) => touches(path, pattern)),
      [true, true, false],
    );
  });

  it("finds the value at a path, or undefined", () => {
    const root = { a: [{ b: 1 }] };
    assert.equal(valueAt(root, ["a", 0, "b"]), 1);
    assert.equal(valueAt(root, ["a", 1, "b"]), undefined);
    assert.equal(valueAt(root, ["a", 0, "b", "c"]), undefined);
  });
});

describe("plugin framework: diff", () => {
  it("names the deepest paths that differ", () => {
    const olds = { same: 1, deep: { x: 1, y: { z: 1 } }, list: ["a", "b"], gone: {}, kind: [1] };
    const news = { same: 1, deep: { x: 1, y: { z: 2 } }, list: ["a"], added: { q: 1 }, kind: { 0: 1 } };
    assert.deepEqual(changedPaths(olds, news), ["deep.y.z", "list[1]", "gone", "kind", "added"]);
  });

  it("takes an unknown for a change", () => {
    assert.deepEqual(changedPaths({ a: unknown }, { a: unknown }), ["a"]);
    assert.equal(isEqual({ a: [1] }, { a: [1] }), true);
    assert.equal(isEqual({ a: undefined }, {}), true);
  });

  it("replaces when a change touches what forces it, in the asked order", () => {
    const olds = { name: "a", nets: [{ id: 1, aliases: ["x"] }], image: "1" };
    const replace = structuralDiff(
      olds,
      { ...olds, nets: [{ id: 1, aliases: ["y"] }], image: "2" },
      {
        replaceOn: ["name", "nets[*].aliases"],
        deleteBeforeReplace: true,
      },
    );
    assert.deepEqual(replace, {
      changes: ["nets[0].aliases[0]", "image"],
      replaces: ["nets[0].aliases[0]"],
      deleteBeforeReplace: true,
    });
    const update = structuralDiff(olds, { ...olds, image: "2" }, { replaceOn: ["name"], deleteBeforeReplace: true });
    assert.deepEqual([update.replaces, update.deleteBeforeReplace], [[], false]);
  });

  it("selects changes by pattern", () => {
    const changes = ["a.b", "a", "c"];
    assert.deepEqual(touching(changes, ["a.b"]), ["a.b", "a"]);
    assert.deepEqual(without(changes, ["a.b"]), ["a", "c"]);
  });
});

describe("plugin framework: shapes", () => {
  const shape = object({
    name: required(string),
    replicas: number,
    force: boolean,
    order: oneOf("start-first", "stop-first"),
    nested: object({ list: list(object({ id: required(string) }), { min: 1, max: 2 }) }),
    labels: map(string),
    free: any,
  });
  const problems = (value: unknown) => misfits(shape, value).map(({ property, reason }) => `${property}: ${reason}`);

  it("accepts what fits, unknowns anywhere", () => {
    const nested = { list: [{ id: "i" }, unknown] };
    assert.deepEqual(
      problems({ name: "n", replicas: 1, force: false, order: "stop-first", nested, labels: { a: "b" } }),
      [],
    );
    assert.deepEqual(problems({ name: unknown, nested: unknown, free: { anything: [1] } }), []);
  });

  it("reports every misfit with its path and never a value", () => {
    const value = {
      replicas: "3",
      order: "secret-word",
      nested: { list: [{ id: 1, di: "x" }], foo: 1 },
      labels: { "a.b": 1 },
    };
    assert.deepEqual(problems(value), [
      "name: required property is missing",
      "replicas: expected a number, got a string",
      "order: expected one of start-first, stop-first, got a string",
      "nested.foo: unknown property",
      "nested.list[0].di: unknown property",
      "nested.list[0].id: expected a string, got a number",
      'labels["a.b"]: expected a string, got a number',
    ]);
  });

  it("counts the elements of a list", () => {
    const element = { id: "i" };
    assert.deepEqual(problems({ name: "n", nested: { list: [] } }), [
      "nested.list: expected at least 1 elements, got 0",
    ]);
    assert.deepEqual(problems({ name: "n", nested: { list: [element, element, element] } }), [
      "nested.list: expected at most 2 elements, got 3",
    ]);
    assert.deepEqual(problems({ name: "n", nested: { list: {} } }), ["nested.list: expected a list, got an object"]);
  });

  it("does not take what objects inherit for properties", () => {
    assert.deepEqual(problems({ name: "n", toString: 1 }), ["toString: unknown property"]);
  });
});

describe("plugin framework: wire", () => {
  it("brings values there and back, secrets and unknowns included", () => {
    const values = { a: "x", n: 1, b: false, list: [1, { x: unknown }], deep: { s: "s", u: unknown } };
    const secrets = { a: true, deep: { s: true } } as const;
    assert.deepEqual(decode(encode(values, secrets)), { values, secrets });
  });

  it("makes a whole list secret for one secret element", () => {
    const wire = encode({ list: [encode({ x: "s" }, { x: true }).toJavaScript(), { x: "t" }] });
    assert.deepEqual(decode(wire), { values: { list: [{ x: "s" }, { x: "t" }] }, secrets: { list: true } });
  });

  it("leaves out undefined and null properties", () => {
    assert.deepEqual(decode(encode({ a: undefined, b: { c: null }, d: 1 })).values, { b: {}, d: 1 });
    assert.deepEqual(decode(undefined), { values: {}, secrets: {} });
  });

  it("marks the whole when the marked part is no longer an object", () => {
    assert.deepEqual(decode(encode({ a: "text" }, { a: { b: true } })).secrets, { a: true });
    assert.deepEqual(decode(encode({}, { a: true })).values, {});
  });

  it("unites what two sides call secret", () => {
    assert.deepEqual(union({ a: { b: true } }, { a: { c: true }, d: true }), { a: { b: true, c: true }, d: true });
    assert.equal(union({ a: true }, true), true);
  });
});

describe("plugin framework: provider arguments", () => {
  it("parses those that arrive as JSON, and leaves structured ones alone", () => {
    const values = parseNested({ sshOpts: '["-F","x"]', registryAuth: [{ a: 1 }], host: "[" }, [
      "sshOpts",
      "registryAuth",
      "context",
    ]);
    assert.deepEqual(values, { sshOpts: ["-F", "x"], registryAuth: [{ a: 1 }], host: "[" });
  });

  it("refuses text that is no JSON without repeating it", () => {
    assert.throws(() => parseNested({ registryAuth: "hunter2" }, ["registryAuth"]), {
      message: "registryAuth: expected a list or an object in JSON, got text that is not JSON",
    });
  });
});
