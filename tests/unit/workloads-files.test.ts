import assert from "node:assert/strict";
import { createFiles } from "../../components/workloads/files.ts";
import type { Platform } from "../../components/service/service.ts";
import { promiseOf, record } from "../support/mocks.ts";

const files = {
  "/etc/grafana/datasources/default.yml": "apiVersion: 1\n",
  "/etc/grafana/dashboards/default.yml": "apiVersion: 2\n",
};

/** What is registered for the files of a service, and what its task is told. */
async function build(texts: Readonly<Record<string, string>>) {
  return record(async () => {
    const { docker } = await import("../../components/shared/providers.ts");
    const platform = { provider: new docker.Provider("manager", {}) } as unknown as Platform;
    return createFiles("grafana", texts, platform);
  });
}

describe("configuration files of a service", () => {
  it("become swarm configs as they are written, at their paths", async () => {
    const { resources, result } = await build(files);
    const configs = resources.filter(({ type }) => type === "docker:index/serviceConfig:ServiceConfig");
    assert.deepEqual(
      configs.map(({ inputs }) => Buffer.from(String(inputs["data"]), "base64").toString()),
      Object.values(files),
    );
    assert.deepEqual(
      result.map(({ path }) => path),
      Object.keys(files),
    );
    for (const [index, { configId, configName }] of result.entries()) {
      const { name } = configs[index]!;
      assert.equal(await promiseOf(configId as never), `${name}-id`);
      assert.match(String(await promiseOf(configName as never)), new RegExp(`^${name}-`));
    }
  });

  it("leave their names to Pulumi, so that a changed text is there before the old one goes", async () => {
    const { resources } = await build(files);
    for (const { inputs } of resources.filter(({ type }) => type.includes("serviceConfig"))) {
      assert.ok(!("name" in inputs));
    }
  });

  it("are told apart where they end in the same name, in the 64 characters that Docker takes", async () => {
    const long = { [`/etc/${"d".repeat(80)}/${"f".repeat(80)}.yml`]: "x" };
    const { resources } = await build({ ...files, ...long });
    const names = resources.filter(({ type }) => type.includes("serviceConfig")).map(({ name }) => name);
    assert.equal(new Set(names).size, 3);
    const suffix = "-0123456";
    for (const name of names) {
      assert.match(name, /^grafana-[a-zA-Z0-9_.-]+$/);
      assert.ok(name.replace("grafana", "s".repeat(30)).length + suffix.length <= 64, name);
    }
  });
});
