import assert from "node:assert/strict";
import { cloudflare } from "../../components/config/cloudflare.ts";
import { record } from "../support/mocks.ts";
import { sampleConfig } from "../support/sample-config.ts";

const zoneId = "0123456789abcdef0123456789abcdef";
const accountId = "fedcba9876543210fedcba9876543210";
const hosts = [
  { name: "vm-1", address: "deploy-1.test", publicAddress: "192.0.2.1" },
  { name: "vm-2", address: "192.0.2.2" },
];

const build = (more: object, edges: typeof hosts | readonly { name: string; address: string }[] = hosts) =>
  record(async () => {
    const { LoadBalancing } = await import("../../components/cloudflare/load-balancing.ts");
    const zone = cloudflare.parse({ zoneId, accountId, proxied: true, ...more });
    return new LoadBalancing("balancer", { config: { ...sampleConfig(), cloudflare: zone }, hosts: edges });
  });

describe("LoadBalancing", () => {
  it("asks every edge host by https and sends visitors of each site to those that are well", async () => {
    const made = await build({ loadBalancer: { path: "/health", expect: "200,301", interval: "30 seconds" } });
    const monitor = made.get("balancer-monitor").inputs;
    assert.deepEqual(
      [monitor["type"], monitor["path"], monitor["expectedCodes"], monitor["interval"], monitor["header"]],
      ["https", "/health", "200,301", 30, { Host: ["palmistry.test"] }],
    );
    const pool = made.get("balancer-pool").inputs;
    assert.equal(pool["monitor"], "balancer-monitor-id");
    assert.deepEqual(pool["origins"], [
      { name: "vm-1", address: "192.0.2.1", enabled: true },
      { name: "vm-2", address: "192.0.2.2", enabled: true },
    ]);
    for (const site of ["palmistry.test", "api.palmistry.test"]) {
      const { inputs, onError } = made.get(`balancer-${site}`);
      assert.deepEqual([inputs["name"], inputs["proxied"], inputs["fallbackPool"]], [site, true, "balancer-pool-id"]);
      assert.equal(onError.length, 1);
    }
  });

  it("makes nothing without being asked to", async () => {
    assert.deepEqual((await build({})).names(), ["balancer berth:cloudflare:LoadBalancing"]);
  });

  it("fails for a host whose address Cloudflare cannot ask", async () => {
    const named = [{ name: "vm-1", address: "deploy-1.test" }];
    await assert.rejects(build({ loadBalancer: {} }, named), /needs a public IPv4 address.*got "deploy-1\.test"/);
  });
});
