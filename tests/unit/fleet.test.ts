import assert from "node:assert/strict";
import { renderAccess } from "../../components/fleet/access.render.ts";
import { renderEngine } from "../../components/fleet/engine.render.ts";
import type { Fleet } from "../../components/fleet/fleet.ts";
import { asRoot } from "../../components/fleet/script.ts";
import { renderSwarm } from "../../components/fleet/swarm.render.ts";
import { promiseOf, record, type Recording } from "../support/mocks.ts";
import { sampleConfig, sampleHostKey } from "../support/sample-config.ts";
import type * as pulumi from "@pulumi/pulumi";

const host = (changes: object = {}): Record<string, string> => ({
  "berth:hosts": JSON.stringify([
    {
      name: "vm-1",
      address: "192.0.2.10",
      publicAddress: "192.0.2.11",
      hostKey: sampleHostKey,
      labels: { edge: "true" },
      ...changes,
    },
  ]),
});

async function build(changes: Record<string, unknown> = host()): Promise<Recording<Fleet>> {
  const config = sampleConfig({ "berth:sshKey": "private", ...changes });
  return record(async () => {
    const { Fleet } = await import("../../components/fleet/fleet.ts");
    return new Fleet("fleet", { config });
  });
}

describe("Fleet", () => {
  it("prepares the host, makes the swarm and points Docker at it, in this order", async () => {
    const fleet = await build();
    assert.deepEqual(fleet.names(), [
      "fleet berth:fleet:Fleet",
      "fleet-manager pulumi:providers:docker",
      "fleet-swarm command:remote:Command",
      "fleet-vm-1 berth:fleet:Host",
      "fleet-vm-1-access command:remote:Command",
      "fleet-vm-1-engine command:remote:Command",
    ]);
    const edges = fleet.resources.flatMap((one) => one.dependsOn.map((before) => `${before} < ${one.name}`));
    assert.deepEqual(edges.toSorted(), [
      "fleet-swarm < fleet-manager",
      "fleet-vm-1-access < fleet-vm-1-engine",
      "fleet-vm-1-engine < fleet-swarm",
    ]);
    assert.deepEqual(
      ["fleet-vm-1", "fleet-vm-1-access", "fleet-vm-1-engine", "fleet-swarm", "fleet-manager"].map(
        (name) => fleet.get(name).parent,
      ),
      ["fleet", "fleet-vm-1", "fleet-vm-1", "fleet", "fleet"],
    );
  });

  it("hands scripts over by standard input and connections as secrets", async () => {
    const fleet = await build();
    const config = sampleConfig(host());
    const [vm] = config.hosts;
    const scripts = {
      "fleet-vm-1-access": renderAccess(vm!),
      "fleet-vm-1-engine": renderEngine({ host: vm!, edge: true, registry: config.registry }),
      "fleet-swarm": renderSwarm(vm!),
    };
    for (const [name, stdin] of Object.entries(scripts)) {
      const { inputs, secrets } = fleet.get(name);
      assert.deepEqual(inputs, {
        addPreviousOutputInEnv: false,
        connection: {
          host: "192.0.2.10",
          port: 22,
          user: "root",
          hostKey: sampleHostKey,
          privateKey: "private\n",
          dialErrorLimit: 3,
          perDialTimeout: 10,
        },
        create: "sh -s",
        stdin,
      });
      assert.ok(secrets.includes("connection") || secrets.includes("connection.privateKey"), secrets.join());
    }
  });

  it("names Docker's host and SSH files in a way that is the same on every machine", async () => {
    const { inputs } = (await build()).get("fleet-manager");
    assert.deepEqual(inputs, { host: "ssh://vm-1", sshOpts: '["-F",".berth/local/ssh_config"]' });
  });

  it("tells others where the manager and the edge are", async () => {
    const { result: fleet } = await build();
    assert.equal(fleet.manager.name, "vm-1");
    assert.deepEqual(fleet.edgeAddresses, ["192.0.2.11"]);
    assert.equal(fleet.managerShell.shell, "sh -s");
    const ready = await Promise.all(fleet.ready.map((one) => promiseOf(one.urn)));
    assert.deepEqual(
      ready.map((urn) => urn.split("::").at(-1)),
      ["fleet-swarm", "fleet-manager"],
    );
    const privateKey = fleet.connection(fleet.manager).privateKey as pulumi.Output<string>;
    assert.equal(await promiseOf(privateKey), "private\n");
  });

  it("asks for root's rights inside of the script when the user is another", async () => {
    const fleet = await build(host({ user: "deploy" }));
    const { create, stdin } = fleet.get("fleet-vm-1-access").inputs;
    assert.equal(create, "sh -s");
    assert.equal(stdin, asRoot({ name: "vm-1", user: "deploy" }, renderAccess({ name: "vm-1", user: "deploy" })));
    assert.equal(fleet.result.managerShell.shell, "sudo -n sh -s");
  });

  it("rejects more than one host until it can join them", async () => {
    const hosts = ["vm-1", "vm-2"].map((name, index) => ({
      name,
      address: `192.0.2.1${index}`,
      hostKey: sampleHostKey,
      labels: { edge: "true" },
    }));
    await assert.rejects(build({ "berth:hosts": JSON.stringify(hosts) }), {
      message: "hosts: joining several hosts is not supported yet, got vm-1, vm-2; keep one host in the stack file",
    });
  });
});
