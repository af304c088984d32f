import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { compose, references } from "../../components/secrets/compose.ts";
import type { Secrets } from "../../components/secrets/secrets.ts";
import { promiseOf, record, type Recording } from "../support/mocks.ts";
import { sampleConfig } from "../support/sample-config.ts";

async function build(
  changes: Record<string, unknown> = {},
  use: (secrets: Secrets) => void = () => undefined,
  system = sampleConfig().system,
): Promise<Recording<Secrets>> {
  const config = { ...sampleConfig(changes), system };
  return record(async () => {
    const { docker } = await import("../../components/shared/providers.ts");
    const { Secrets } = await import("../../components/secrets/secrets.ts");
    const secrets = new Secrets("secrets", { config, provider: new docker.Provider("manager", {}) });
    use(secrets);
    return secrets;
  });
}

const decode = (data: unknown): string => Buffer.from(data as string, "base64").toString();

describe("Secrets", () => {
  it("generates letters and digits, anew when the generation is raised", async () => {
    const first = await build();
    const password = first.get("secrets-POSTGRES_PASSWORD");
    assert.equal(password.type, "random:index/randomPassword:RandomPassword");
    assert.deepEqual(password.inputs, { length: 32, special: false, keepers: { generation: "1" } });
    assert.equal(password.parent, "secrets");
    const second = await build({ "berth:secretGenerations": '{"POSTGRES_PASSWORD":2}' });
    assert.deepEqual(second.get("secrets-POSTGRES_PASSWORD").inputs["keepers"], { generation: "2" });
    assert.deepEqual(second.get("secrets-REDIS_PASSWORD").inputs["keepers"], { generation: "1" });
  });

  it("generates hexadecimal digits where they are asked for", async () => {
    const { system } = sampleConfig();
    const secrets = await build({}, () => undefined, {
      ...system,
      secrets: { KEY: { kind: "generated", length: 64, characters: "hex" } },
    });
    const { length, overrideSpecial, special, upper, lower, numeric } = secrets.get("secrets-KEY").inputs;
    assert.deepEqual(
      { length, overrideSpecial, special, upper, lower, numeric },
      { length: 64, overrideSpecial: "0123456789abcdef", special: true, upper: false, lower: false, numeric: false },
    );
  });

  it("marks values of every kind as secret", async () => {
    const { result: secrets } = await build();
    const expected = {
      POSTGRES_PASSWORD: "generated-secrets-POSTGRES_PASSWORD",
      OPENAI_API_KEY: "sk-test",
      REDIS_URL: "redis://:generated-secrets-REDIS_PASSWORD@redis:6379/0",
    };
    for (const [name, value] of Object.entries(expected)) {
      const output = secrets.value(name);
      assert.equal(await promiseOf(output), value);
      assert.equal(await pulumi.isSecret(output), true, name);
    }
  });

  it("puts a secret into the swarm at its first use, once, encoded and marked", async () => {
    const secrets = await build({}, (all) => {
      all.file("REDIS_URL");
      all.file("REDIS_URL");
    });
    const files = secrets.resources.filter((one) => one.type === "docker:index/secret:Secret");
    assert.equal(files.length, 1);
    const [file] = files;
    assert.equal(decode(file!.inputs["data"]), "redis://:generated-secrets-REDIS_PASSWORD@redis:6379/0");
    assert.deepEqual(file!.secrets, ["data"]);
    assert.deepEqual([file!.name, file!.parent, file!.provider], ["secrets-REDIS_URL", "secrets", "manager"]);
  });

  it("leaves the naming of swarm secrets to Pulumi, so that a new value is there before the old one goes", async () => {
    const { resources, result } = await build({}, (all) => all.file("SECRET_KEY"));
    const file = resources.find((one) => one.type === "docker:index/secret:Secret");
    assert.deepEqual(Object.keys(file!.inputs), ["data"]);
    assert.equal(file!.deleteBeforeReplace, undefined);
    const { secretId, secretName } = result.file("SECRET_KEY");
    assert.equal(await promiseOf(secretId), "secrets-SECRET_KEY-id");
    assert.equal(await promiseOf(secretName), "secrets-SECRET_KEY-0123456");
  });

  it("shows no secret in what it registers in clear", async () => {
    const { resources } = await build({}, (all) => {
      ["OPENAI_API_KEY", "DATABASE_URL"].forEach((name) => all.file(name));
    });
    for (const one of resources) {
      const clear = Object.fromEntries(Object.entries(one.inputs).filter(([key]) => !one.secrets.includes(key)));
      assert.doesNotMatch(JSON.stringify(clear), /sk-test|generated-|c2stdGVzd/, one.name);
    }
  });

  it("rejects a name that the system does not declare", async () => {
    const { result } = await build();
    assert.throws(() => result.value("NOPE"), { message: 'no secret "NOPE"' });
  });
});

describe("compose", () => {
  const cases: [what: string, template: string, values: Record<string, string>, text: string][] = [
    ["joins values", "${A}:${B}:${A}", { A: "1", B: "2" }, "1:2:1"],
    ["encodes what stands inside a URL", "redis://:${P}@h/0", { P: "a/b@c:d" }, "redis://:a%2Fb%40c%3Ad@h/0"],
    ["takes a whole URL literally", "${U}?ssl=1", { U: "redis://h/0" }, "redis://h/0?ssl=1"],
    ["does not read a value as a template", "${A}${B}", { A: "${B}", B: "$&" }, "${B}$&"],
  ];
  for (const [what, template, values, text] of cases) {
    it(what, () => {
      assert.equal(compose(template, values), text);
    });
  }

  it("fails on a name without a value", () => {
    assert.throws(() => compose("${A}", {}), { message: 'no value for "A"' });
  });

  it("names each reference once", () => {
    assert.deepEqual(references("${A}-${B}-${A}"), ["A", "B"]);
  });
});
