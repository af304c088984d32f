import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import { healthBudgetMs, serviceArgs, specLabel, type Workload } from "../../components/service/workload.ts";

const workload: Workload = {
  name: "palmistry-api",
  image: "registry.test:5000/palmistry-api:1.0.0@sha256:0000",
  env: { LOG_LEVEL: "INFO" },
  secretFiles: [{ name: "SECRET_KEY", secretId: "id1", secretName: "secret-key-1" }],
  attachments: [{ networkId: "net1", alias: "api" }],
  resources: { memory: "256 MB", cpus: 0.5 },
  replicas: 3,
  health: {
    test: ["CMD", "true"],
    startInterval: "1 second",
    interval: "1 second",
    timeout: "90 seconds",
    retries: 3,
    startPeriod: "5 seconds",
  },
  rollout: { order: "start-first", parallelism: 0, monitor: "2 seconds" },
  stopGracePeriod: "30 seconds",
  user: "1000:1000",
  readOnly: true,
  volumes: { "palmistry-uploads": "/data/uploads" },
  constraints: [],
  tmpfs: { "/tmp": "64 MB" },
};

/** Resolves every Output in the arguments. */
function plain(args: object): Promise<Record<string, never>> {
  return new Promise((resolve) => {
    pulumi.output(args).apply((value) => {
      resolve(value as Record<string, never>);
    });
  });
}

async function labelOf(changed: Partial<Workload>): Promise<string> {
  const { labels } = (await plain(serviceArgs({ ...workload, ...changed }))) as unknown as {
    labels: { label: string; value: string }[];
  };
  return labels.find(({ label }) => label === specLabel)!.value;
}

describe("the swarm service of a workload", () => {
  it("starts the new task first, watches it and goes back by itself", async () => {
    const args = (await plain(serviceArgs(workload))) as Record<string, unknown>;
    assert.deepEqual(args.updateConfig, {
      parallelism: 0,
      order: "start-first",
      monitor: "2s",
      failureAction: "rollback",
    });
  });

  it("is watched for no time by a name that Docker does not take for its own five seconds", () => {
    const unwatched = serviceArgs({ ...workload, rollout: { ...workload.rollout, monitor: "0 seconds" } });
    const monitor = (config: unknown) => (config as { monitor: string }).monitor;
    assert.equal(monitor(unwatched.updateConfig), "1ms");
    assert.equal(monitor(serviceArgs(workload).rollbackConfig), "1ms");
  });

  it("replaces a part of the tasks at a time where that is asked for", () => {
    const gradual = serviceArgs({ ...workload, rollout: { ...workload.rollout, parallelism: 1 } });
    assert.equal((gradual.updateConfig as { parallelism: number }).parallelism, 1);
  });

  it("attaches networks by id and answers by DNS round robin", () => {
    const args = serviceArgs(workload);
    assert.deepEqual(args.endpointSpec, { mode: "dnsrr" });
    assert.deepEqual((args.taskSpec as { networksAdvanceds: unknown }).networksAdvanceds, [
      { id: "net1", aliases: ["api"] },
    ]);
  });

  it("is started again whenever it ends", () => {
    const { restartPolicy } = serviceArgs(workload).taskSpec as { restartPolicy: unknown };
    assert.deepEqual(restartPolicy, { condition: "any", delay: "1s", window: "0s" });
  });

  it("drops every capability but those that are named, and says nothing where none is", () => {
    const container = (changed: Partial<Workload>) =>
      (serviceArgs({ ...workload, ...changed }).taskSpec as { containerSpec: object }).containerSpec;
    assert.deepEqual({ ...container({}), capDrops: ["ALL"] }, container({}));
    assert.ok(!("capAdds" in container({})) && !("configs" in container({})));
    assert.deepEqual(
      { ...container({ capabilities: ["CHOWN"] }), capAdds: ["CAP_CHOWN"] },
      {
        ...container({ capabilities: ["CHOWN"] }),
      },
    );
  });

  it("puts configuration files where they are wanted", () => {
    const configs = [{ path: "/etc/app/app.yml", configId: "c1", configName: "app-app.yml-1" }];
    const { containerSpec } = serviceArgs({ ...workload, configs }).taskSpec as { containerSpec: { configs: unknown } };
    assert.deepEqual(containerSpec.configs, [
      { configId: "c1", configName: "app-app.yml-1", fileName: "/etc/app/app.yml" },
    ]);
  });

  it("says where its tasks may run only when that is limited", () => {
    const placement = (constraints: string[]) =>
      (serviceArgs({ ...workload, constraints }).taskSpec as { placement?: unknown }).placement;
    assert.equal(placement([]), undefined);
    assert.deepEqual(placement(["node.labels.berth.host==vm-1"]), { constraints: ["node.labels.berth.host==vm-1"] });
  });

  it("writes durations as Docker reads them back", () => {
    const { containerSpec } = serviceArgs(workload).taskSpec as { containerSpec: { healthcheck: unknown } };
    assert.deepEqual(containerSpec.healthcheck, {
      tests: ["CMD", "true"],
      interval: "1s",
      timeout: "1m30s",
      retries: 3,
      startPeriod: "5s",
    });
  });

  it("names the file of each secret in the environment and nothing of its content", () => {
    const { containerSpec } = serviceArgs(workload).taskSpec as { containerSpec: { env: unknown } };
    assert.deepEqual(containerSpec.env, { LOG_LEVEL: "INFO", SECRET_KEY_FILE: "/run/secrets/SECRET_KEY" });
  });

  it("always gives a task time to stop, for the provider sends nothing as zero", () => {
    const { containerSpec } = serviceArgs(workload).taskSpec as { containerSpec: { stopGracePeriod: unknown } };
    assert.equal(containerSpec.stopGracePeriod, "30s");
  });

  it("has a reservation only when something is reserved, for the provider crashes on an empty one", () => {
    const resourcesOf = (changed: Partial<Workload>) =>
      (serviceArgs({ ...workload, ...changed }).taskSpec as { resources: object }).resources;
    const limits = { memoryBytes: 256 * 1024 ** 2, nanoCpus: 5e8 };
    assert.deepEqual(resourcesOf({}), { limits });
    assert.deepEqual(resourcesOf({ resources: { ...workload.resources, reserveCpus: 0.25 } }), {
      limits,
      reservation: { nanoCpus: 2.5e8 },
    });
  });

  it("leaves convergeConfig out, for the convergence check waits instead", () => {
    assert.equal("convergeConfig" in serviceArgs(workload), false);
  });

  it("carries the same label for the same settings and another one for any change", async () => {
    const label = await labelOf({});
    assert.equal(await labelOf({}), label);
    assert.notEqual(await labelOf({ image: "other" }), label);
    assert.notEqual(await labelOf({ env: { LOG_LEVEL: "DEBUG" } }), label);
    assert.notEqual(await labelOf({ replicas: 4 }), label);
  });
});

describe("the health budget", () => {
  it("is what the health check allows plus the watch period", () => {
    assert.equal(healthBudgetMs(workload), 5_000 + 3 * 91_000 + 2_000);
  });

  it("counts every batch of a gradual rollout", () => {
    const gradual = { ...workload, rollout: { ...workload.rollout, parallelism: 2 } };
    assert.equal(healthBudgetMs(gradual), 2 * (5_000 + 3 * 91_000) + 2_000);
  });
});
