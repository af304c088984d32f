import assert from "node:assert/strict";
import { type Provider, type Stored, startChosen } from "../support/provider.ts";
import { type Swarm, startSwarm } from "../support/swarm.ts";
import { until } from "../support/until.ts";

/*
 * How the docker plugin takes things away from a real swarm, and what it makes of things that are gone. The official
 * plugin and the stand-in have to agree; `LAB_PLUGINS` chooses between them.
 */

const network = "docker:index/network:Network";
const volume = "docker:index/volume:Volume";
const secret = "docker:index/secret:Secret";
const config = "docker:index/serviceConfig:ServiceConfig";
const service = "docker:index/service:Service";

type Properties = Record<string, unknown>;

describe("removing from a swarm", function () {
  this.timeout(120_000);
  let swarm: Swarm;
  let plugin: Provider;
  let image: string;

  before(async () => {
    swarm = await startSwarm();
    image = await swarm.image("app", "1.0.0");
    plugin = await startChosen("docker", { host: swarm.host });
  });
  after(async () => {
    await plugin.stop();
    await swarm.stop();
  });

  const create = async (type: string, program: Properties): Promise<Stored & { inputs: Properties }> => {
    const { inputs, failures } = await plugin.check(type, program);
    assert.deepEqual(failures, []);
    return { ...(await plugin.create(type, inputs)), inputs };
  };
  /** A service whose process does not hear the stop signal. */
  const deaf = (name: string, container: Properties = {}, task: Properties = {}): Properties => ({
    name,
    taskSpec: {
      containerSpec: { image, commands: ["/bin/sleep", "1000"], ...container },
      ...task,
    },
    endpointSpec: { mode: "dnsrr" },
  });
  const running = (name: string) =>
    until(`${name} runs`, 30_000, async () => {
      const tasks = await swarm.api.listTasks({ filters: { service: [name] } });
      return tasks.some(({ Status }) => (Status as { State: string }).State === "running") || undefined;
    });

  it("says that a service is in the way of its secret, in the daemon's words", async () => {
    const password = await create(secret, { name: "password", data: "aGk=" });
    const secrets = [{ secretId: password.id, secretName: "password", fileName: "password" }];
    const user = await create(service, deaf("user", { secrets }));
    await assert.rejects(plugin.delete(secret, password), /secret 'password' is in use by the following service: user/);
    await plugin.delete(service, user);
    await plugin.delete(secret, password);
  });

  it("removes a network right after the service that used it", async () => {
    const backend = await create(network, { name: "backend", driver: "overlay" });
    const user = await create(service, deaf("attached", {}, { networksAdvanceds: [{ id: backend.id }] }));
    await running("attached");
    await plugin.delete(service, user);
    await plugin.delete(network, backend);
    // The node takes its own part of an overlay network down a moment later.
    await until("the network is gone", 10_000, async () => {
      const left = await swarm.api.listNetworks({ filters: { name: ["backend"] } });
      return left.length === 0 || undefined;
    });
  });

  it("complains of a container that outlives its grace period, though the service is gone", async () => {
    const slow = await create(service, deaf("slow", { stopGracePeriod: "1s" }));
    await running("slow");
    await assert.rejects(plugin.delete(service, slow), /error on wait for container .* context deadline exceeded/);
    assert.deepEqual(await swarm.api.listServices({ filters: { name: ["slow"] } }), []);
    await assert.rejects(plugin.delete(service, slow), /service slow not found/);
  });

  it("finds that what others removed is gone", async () => {
    const things: [string, Properties, (id: string) => Promise<unknown>][] = [
      [network, { name: "gone", driver: "overlay" }, (id) => swarm.api.getNetwork(id).remove()],
      [volume, { name: "gone" }, (id) => swarm.api.getVolume(id).remove()],
      [secret, { name: "gone", data: "aGk=" }, (id) => swarm.api.getSecret(id).remove()],
      [config, { name: "gone", data: "aGk=" }, (id) => swarm.api.getConfig(id).remove()],
      [service, deaf("gone"), (id) => swarm.api.getService(id).remove()],
    ];
    for (const [type, program, remove] of things) {
      const made = await create(type, program);
      const read = await plugin.read(type, made, made.inputs);
      assert.deepEqual([read?.id, read?.outputs["name"]], [made.id, "gone"]);
      await remove(made.id);
      assert.equal(await plugin.read(type, made, made.inputs), undefined);
    }
  });
});
