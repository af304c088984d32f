import assert from "node:assert/strict";
import type { Networks } from "../../components/network/networks.ts";
import { promiseOf, record, type Recording } from "../support/mocks.ts";
import { sampleConfig } from "../support/sample-config.ts";

async function build(changes: Record<string, unknown> = {}): Promise<Recording<Networks>> {
  const config = sampleConfig(changes);
  return record(async () => {
    const { docker } = await import("../../components/shared/providers.ts");
    const { Networks } = await import("../../components/network/networks.ts");
    return new Networks("networks", { config, provider: new docker.Provider("manager", {}) });
  });
}

describe("Networks", () => {
  it("makes one attachable overlay per tier on the swarm, named after the system", async () => {
    const networks = await build();
    assert.deepEqual(networks.names(), [
      "manager pulumi:providers:docker",
      "networks berth:network:Networks",
      "networks-backend docker:index/network:Network",
      "networks-data docker:index/network:Network",
      "networks-edge docker:index/network:Network",
    ]);
    const backend = networks.get("networks-backend");
    assert.deepEqual(backend.inputs, {
      name: "palmistry-backend",
      driver: "overlay",
      attachable: true,
      internal: false,
    });
    assert.deepEqual([backend.parent, backend.provider], ["networks", "manager"]);
    assert.deepEqual(backend.ignoreChanges, []);
    assert.equal(networks.get("networks-data").inputs["internal"], true);
  });

  it("encrypts when told to, without planning a replacement at every run", async () => {
    const network = (await build({ "berth:encryptNetworks": "true" })).get("networks-data-encrypted");
    assert.deepEqual(network.inputs["options"], { encrypted: "" });
    assert.deepEqual(network.ignoreChanges, ["options"]);
    assert.equal(network.inputs["name"], "palmistry-data");
  });

  it("hands out ids for services and names for scripts, both of which wait for the network", async () => {
    const { result } = await build();
    assert.equal(await promiseOf(result.id("edge")), "networks-edge-id");
    assert.equal(await promiseOf(result.name("edge")), "palmistry-edge");
    assert.throws(() => result.id("nowhere"), { message: 'no network "nowhere"' });
  });
});
