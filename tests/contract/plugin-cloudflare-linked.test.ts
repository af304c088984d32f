import assert from "node:assert/strict";
import type { Client } from "../../lab/plugins/cloudflare/client.ts";
import type { Context, ResourceType } from "../../lab/plugins/framework/types.ts";
import { accountId, diff, StandIn, typeOf, zoneId } from "../support/stand-in-cloudflare.ts";

describe("the cloudflare stand-in: resources that name each other", () => {
  let standIn: StandIn;
  let context: Context<Client>;
  before(async () => {
    standIn = await StandIn.start();
  });
  after(() => standIn.stop());
  beforeEach(() => {
    ({ context } = standIn);
  });

  it("steers traffic to pools that are watched, and lets none of them go too early", async () => {
    const monitor = await typeOf("LoadBalancerMonitor").create(
      { accountId, type: "http", expectedCodes: "2xx" },
      context,
    );
    const origins = [{ name: "a", address: "192.0.2.1" }];
    const poolInputs = { accountId, name: "watched", origins, monitor: monitor.id };
    const pool = await typeOf("LoadBalancerPool").create(poolInputs, context);
    const inputs = {
      zoneId,
      name: "lb.palmistry.test",
      defaultPools: [pool.id],
      fallbackPool: pool.id,
      proxied: true,
      sessionAffinity: "cookie",
      sessionAffinityAttributes: { zeroDowntimeFailover: "temporary" },
    };
    const balancer = typeOf("LoadBalancer") as Required<ResourceType<Client>>;
    const { id, outputs } = await balancer.create(inputs, context);
    assert.equal(outputs["zoneName"], "palmistry.test");
    assert.deepEqual(diff("LoadBalancer", outputs, inputs).changes, []);
    const live = await balancer.read(id, outputs, inputs, context);
    assert.deepEqual([live?.inputs, diff("LoadBalancer", live!.outputs, inputs).changes], [inputs, []]);
    await assert.rejects(
      typeOf("LoadBalancerPool").delete(pool.id, pool.outputs, context),
      /412 .*1005.*referenced by other objects/,
    );
    await assert.rejects(typeOf("LoadBalancerMonitor").delete(monitor.id, monitor.outputs, context), /412 .*1005/);
    await balancer.delete(id, outputs, context);
    await typeOf("LoadBalancerPool").delete(pool.id, pool.outputs, context);
    await typeOf("LoadBalancerMonitor").delete(monitor.id, monitor.outputs, context);
  });

  it("names the policies of an application, and tells a service token's secret once", async () => {
    const tokens = typeOf("ZeroTrustAccessServiceToken") as Required<ResourceType<Client>>;
    assert.deepEqual(tokens.secretOutputs, ["clientSecret"]);
    const token = await tokens.create({ accountId, name: "probe" }, context);
    const secret = token.outputs["clientSecret"];
    assert.match(String(secret), /^[0-9a-f]{64}$/);
    const read = await tokens.read(token.id, token.outputs, { accountId, name: "probe" }, context);
    assert.equal(read?.outputs["clientSecret"], secret);
    const renamed = { accountId, name: "prober" };
    const update = { id: token.id, olds: token.outputs, oldInputs: {}, news: renamed };
    assert.equal((await tokens.update(update, context))["clientSecret"], secret);
    assert.equal(
      (await tokens.read(`accounts/${accountId}/${token.id}`, {}, {}, context))?.outputs["clientSecret"],
      undefined,
    );

    const policies = typeOf("ZeroTrustAccessPolicy");
    const includes = [{ serviceToken: { tokenId: token.id } }];
    const policy = await policies.create({ accountId, name: "machines", decision: "non_identity", includes }, context);
    const apps = typeOf("ZeroTrustAccessApplication") as Required<ResourceType<Client>>;
    const inputs = {
      accountId,
      type: "self_hosted",
      name: "status",
      destinations: [{ uri: "status.palmistry.test" }, { type: "public", uri: "palmistry.test/status" }],
      policies: [{ id: policy.id }],
    };
    const app = await apps.create(inputs, context);
    assert.match(String(app.outputs["aud"]), /^[0-9a-f]{64}$/);
    const live = await apps.read(app.id, app.outputs, inputs, context);
    assert.deepEqual([live?.inputs, diff("ZeroTrustAccessApplication", live!.outputs, inputs).changes], [inputs, []]);
    await assert.rejects(
      policies.delete(policy.id, policy.outputs, context),
      /policy is in use by application \\"status\\"/,
    );
    await assert.rejects(apps.create(inputs, context), /11010.*application_already_exists/);
    await assert.rejects(
      apps.create({ ...inputs, destinations: [{ uri: "example.com" }] }, context),
      /does not belong to zone/,
    );
    await apps.delete(app.id, app.outputs, context);
    await policies.delete(policy.id, policy.outputs, context);
    await tokens.delete(token.id, token.outputs, context);
  });
});
