import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { load, parse, readSystem } from "../../components/config/load.ts";
import type { PostgresStore, RedisStore } from "../../components/config/store.ts";
import { golden } from "../support/golden.ts";
import { sampleConfig, sampleRaw } from "../support/sample-config.ts";

describe("a parsed configuration", () => {
  it("is palmistry, sized and named for the stack", () => {
    const { supplied, ...config } = sampleConfig();
    assert.deepEqual(Object.keys(supplied), ["OPENAI_API_KEY"]);
    golden("config/palmistry.json", `${JSON.stringify(config, null, 2)}\n`);
  });

  it("is the same from JSON text, as Pulumi hands it over, and from values", () => {
    const raw = sampleRaw({ "berth:encryptNetworks": "true", "berth:services": '{"api":{"replicas":4}}' });
    const values = Object.entries(raw.values).map(([key, value]): [string, unknown] => [key, decoded(String(value))]);
    const { supplied: _, ...fromText } = parse(raw);
    const { supplied: __, ...fromValues } = parse({ ...raw, values: Object.fromEntries(values) });
    assert.deepEqual(fromText, fromValues);
    assert.equal(fromText.encryptNetworks, true);
    assert.equal((fromText.system.services.api as { replicas: number }).replicas, 4);
  });

  it("cannot be changed, at any depth", () => {
    const config = sampleConfig();
    assert.throws(() => Object.assign(config.system.services.api!.env, { A: "b" }), TypeError);
    assert.throws(() => (config.hosts as unknown[]).push({}), TypeError);
  });

  it("does not carry over from one stack to the next", () => {
    sampleConfig({ "berth:services": { api: { env: { LOG_LEVEL: "DEBUG" } } } });
    assert.equal(sampleConfig().system.services.api!.env.LOG_LEVEL, "INFO");
  });

  it("has the stack's sizes, variables and limits over the system's", () => {
    const { system } = sampleConfig({
      "berth:services": {
        api: { replicas: 2, resources: { memory: "1 GB" }, env: { LOG_LEVEL: "DEBUG", SITE: "https://${domain}/" } },
        redis: { resources: { memory: "2 GB" }, maxmemory: "1.5 GB" },
        postgres: { maxConnections: 900 },
      },
      "berth:limits": { api: { rate: "1000 r/s" } },
    });
    const api = system.services.api as { replicas: number; resources: unknown; env: Record<string, string> };
    assert.equal(api.replicas, 2);
    assert.deepEqual(api.resources, { memory: "1 GB", cpus: 1 });
    assert.deepEqual(
      [api.env.LOG_LEVEL, api.env.SITE, api.env.CACHE_TTL],
      ["DEBUG", "https://palmistry.test/", "3600"],
    );
    const { redis, postgres } = system.data as { redis: RedisStore; postgres: PostgresStore };
    assert.deepEqual([redis.resources.memory, redis.maxmemory, redis.maxclients], ["2 GB", "1.5 GB", 2000]);
    assert.equal(postgres.maxConnections, 900);
    assert.deepEqual(system.edge.limits.api, { rate: "1000 r/s", burst: 20 });
  });

  it("encrypts networks outside the local environment, unless told otherwise", () => {
    const staging = {
      "berth:environment": "staging",
      "berth:acme": { email: "ops@palmistry.com", agreeToTerms: true },
    };
    assert.equal(sampleConfig().encryptNetworks, false);
    assert.equal(sampleConfig(staging).encryptNetworks, true);
    assert.equal(sampleConfig({ ...staging, "berth:encryptNetworks": false }).encryptNetworks, false);
  });
});

describe("load", () => {
  it("reads the running stack and imports the system that it names", async () => {
    const { values, secretKeys } = sampleRaw();
    const texts = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, String(value)]));
    pulumi.runtime.setAllConfig(texts, [...secretKeys]);
    try {
      const { supplied, ...config } = await load();
      const { supplied: _, ...sample } = sampleConfig();
      assert.deepEqual(config, { ...sample, stack: pulumi.getStack() });
      assert.equal(await pulumi.isSecret(supplied.OPENAI_API_KEY!), true);
    } finally {
      pulumi.runtime.setAllConfig({});
    }
  });

  it("replaces the domain in files and variables, and nothing else that looks like it", () => {
    const { system } = sampleRaw();
    const files = { "/etc/app.yml": "host: ${domain}\nkey: ${KEY}\n" };
    const { services } = system as { services: Record<string, object> };
    const frontend = { ...services["frontend"], files };
    const config = parse({ ...sampleRaw(), system: { ...(system as object), services: { ...services, frontend } } });
    const resolved = config.system.services.frontend as { files: Record<string, string> };
    assert.deepEqual(resolved.files, { "/etc/app.yml": "host: palmistry.test\nkey: ${KEY}\n" });
  });

  it("tells why a system's file cannot be read instead of throwing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-systems-"));
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    try {
      assert.deepEqual(await readSystem(file("throws.mts", 'throw new Error("no menu");')), {
        system: undefined,
        systemFailure: "no menu",
      });
      const { systemFailure } = await readSystem(file("broken.mts", "export default {"));
      assert.ok((systemFailure ?? "") !== "");
      assert.deepEqual(await readSystem(file("silent.mts", "export const system = {};")), {
        system: undefined,
        systemFailure: "no default export",
      });
      assert.deepEqual(await readSystem(file("good.mts", "export default { name: 'shop' };")), {
        system: { name: "shop" },
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("rejects an unknown system with the names of those that there are", async () => {
    pulumi.runtime.setAllConfig({ "berth:system": "../components/config" });
    try {
      await assert.rejects(load(), /berth:system: is not a name, got "\.\.\/components\/config"/);
      pulumi.runtime.setAllConfig({ "berth:system": "nothing" });
      await assert.rejects(load(), /berth:system: is not a system, got "nothing"; use .*palmistry/);
    } finally {
      pulumi.runtime.setAllConfig({});
    }
  });
});

function decoded(text: string): unknown {
  return /^[[{]|^true$/.test(text) ? JSON.parse(text) : text;
}
