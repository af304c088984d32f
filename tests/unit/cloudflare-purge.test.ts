import assert from "node:assert/strict";
import { record } from "../support/mocks.ts";
import { sampleConfig, sampleImages } from "../support/sample-config.ts";

const zoneId = "0123456789abcdef0123456789abcdef";

async function commands(zone: object | "none", more: Record<string, unknown> = {}) {
  const config = sampleConfig({ "berth:cloudflare": zone === "none" ? zone : { zoneId, ...zone }, ...more });
  const [first, ...others] = config.system.edge.sites;
  // Two static routes of one service, one of them the whole site.
  const routes = first!.routes.map((route) =>
    route.service === "frontend" ? { ...route, cache: "hashed" as const } : route,
  );
  const system = { ...config.system, edge: { ...config.system.edge, sites: [{ ...first!, routes }, ...others] } };
  const recording = await record(async () => {
    const { Purge } = await import("../../components/cloudflare/purge.ts");
    return new Purge("purge", { config: { ...config, system } });
  });
  return recording.resources.filter(({ type }) => type === "command:local:Command");
}

describe("Purge", () => {
  it("runs again for a service with static routes when its image changes", async () => {
    const [purge, ...others] = await commands({ proxied: true });
    assert.deepEqual([purge?.name, others], ["purge-frontend", []]);
    const request = JSON.parse(purge?.inputs["stdin"] as string) as Record<string, unknown>;
    assert.deepEqual([request["zoneId"], request["image"]], [zoneId, sampleImages.frontend]);
    assert.ok((request["prefixes"] as string[]).includes("palmistry.test"));
  });

  it("gets the token of the stack file by its environment, as a secret", async () => {
    const token = "t".repeat(40);
    const [purge] = await commands({ proxied: true }, { "cloudflare:apiToken": token });
    assert.deepEqual(purge?.inputs["environment"], { CLOUDFLARE_API_TOKEN: token });
    assert.ok(purge.secrets.some((path) => path.startsWith("environment")));
    assert.ok(!JSON.stringify([purge.inputs["create"], purge.inputs["stdin"]]).includes(token));
  });

  for (const [what, zone] of [
    ["nobody comes through Cloudflare", {}],
    ["there is no zone", "none"],
  ] as const) {
    it(`does nothing where ${what}`, async () => {
      assert.deepEqual(await commands(zone), []);
    });
  }
});
