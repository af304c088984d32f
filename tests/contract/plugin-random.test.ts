import assert from "node:assert/strict";
import { join } from "node:path";
import bcrypt from "bcryptjs";
import { type Provider, startProvider } from "../support/provider.ts";

const password = "random:index/randomPassword:RandomPassword";
const id = "random:index/randomId:RandomId";
const executable = join(import.meta.dirname, "../../lab/plugins/bin/pulumi-resource-random");

describe("random stand-in", () => {
  let provider: Provider;

  before(async () => {
    provider = await startProvider(executable, {});
  });
  after(() => provider.stop());

  const draw = async (inputs: object) => (await provider.create(password, { ...inputs })).outputs["result"] as string;

  it("draws passwords of the given length, each another one, both outputs secret", async () => {
    const first = await provider.create(password, { length: 40 });
    assert.equal(first.id, "none");
    assert.deepEqual(first.secrets, { result: true, bcryptHash: true });
    assert.equal((first.outputs["result"] as string).length, 40);
    assert.notEqual(first.outputs["result"], await draw({ length: 40 }));
  });

  it("draws only from what is allowed, and at least what is asked for", async () => {
    assert.match(await draw({ length: 200, special: false, upper: false }), /^[a-z0-9]+$/);
    assert.match(await draw({ length: 200, lower: false, numeric: false, overrideSpecial: "-" }), /^[A-Z-]+$/);
    assert.match(
      await draw({ length: 4, lower: false, upper: false, special: false, minSpecial: 4 }),
      /^[^a-zA-Z0-9]+$/,
    );
    assert.match(await draw({ length: 90, overrideSpecial: "" }), /[!@#$%&*()_=+[\]{}<>:?-]/);
    const mixed = await draw({ length: 8, minUpper: 2, minLower: 2, minNumeric: 2, minSpecial: 2 });
    assert.equal(mixed.replaceAll(/[^A-Z]/g, "").length, 2);
    assert.equal(mixed.replaceAll(/\D/g, "").length, 2);
  });

  it("hashes the password, its first 72 bytes at most", async () => {
    const { outputs } = await provider.create(password, { length: 80, special: false });
    assert.ok(await bcrypt.compare((outputs["result"] as string).slice(0, 72), outputs["bcryptHash"] as string));
  });

  it("stores the provider's defaults as outputs", async () => {
    const { outputs } = await provider.create(password, { length: 1, number: false });
    const { result: _, bcryptHash: __, ...rest } = outputs;
    const minimum = { minLower: 0, minNumeric: 0, minSpecial: 0, minUpper: 0 };
    const sets = { lower: true, upper: true, special: true, number: false, numeric: false };
    assert.deepEqual(rest, { length: 1, ...minimum, ...sets });
  });

  it("draws anew when a keeper changes, the new one before the old is gone", async () => {
    const oldInputs = { length: 8, keepers: { generation: "1" } };
    const news = { length: 8, keepers: { generation: "2" } };
    const diff = await provider.diff(password, { id: "none", olds: oldInputs, oldInputs, news });
    assert.deepEqual(diff.detailed, { "keepers.generation": "update-replace" });
    assert.deepEqual([diff.replaces, diff.deleteBeforeReplace], [["keepers"], false]);
  });

  it("keeps what it has on refresh, and takes an imported password from its id", async () => {
    const stored = await provider.create(password, { length: 8 });
    assert.deepEqual((await provider.read(password, stored, { length: 8 }))?.outputs, stored.outputs);
    const imported = await provider.read(password, { id: "given", outputs: {} }, {});
    assert.deepEqual([imported?.id, imported?.inputs, imported?.outputs["result"]], ["none", { length: 5 }, "given"]);
  });

  it("rejects impossible recipes and unknown properties", async () => {
    const failures = async (type: string, inputs: object) => (await provider.check(type, { ...inputs })).failures;
    assert.deepEqual(await failures(password, {}), [": length: required property is missing"]);
    assert.deepEqual(await failures(password, { length: 0 }), [": length: must be at least 1, got 0"]);
    assert.deepEqual(await failures(password, { length: 3, minUpper: 2, minLower: 2 }), [
      ": length: must be at least minUpper + minLower + minNumeric + minSpecial (4), got 3",
    ]);
    assert.deepEqual(
      await failures(password, { length: 3, upper: false, lower: false, number: false, special: false }),
      [": special: one of special, upper, lower and numeric must be true"],
    );
    assert.deepEqual(await failures(password, { length: 3, size: 3 }), [": size: unknown property"]);
    assert.deepEqual(await failures(id, { byteLength: 0 }), [": byteLength: must be at least 1, got 0"]);
  });

  it("spells an id in four ways, the prefix before each", async () => {
    const { outputs, secrets, ...stored } = await provider.create(id, { byteLength: 4, prefix: "p-" });
    const bytes = Buffer.from(stored.id, "base64url");
    assert.deepEqual(secrets, {});
    assert.deepEqual(outputs, {
      byteLength: 4,
      prefix: "p-",
      hex: `p-${bytes.toString("hex")}`,
      b64Url: `p-${stored.id}`,
      b64Std: `p-${bytes.toString("base64")}`,
      dec: `p-${bytes.readUInt32BE()}`,
    });
    const imported = await provider.read(id, { id: `p-,${stored.id}`, outputs: {} }, {});
    assert.deepEqual([imported?.id, imported?.outputs], [stored.id, outputs]);
  });
});
