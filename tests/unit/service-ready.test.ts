import assert from "node:assert/strict";
import { Rollouts, type Converge } from "../../components/service/rollouts.ts";
import { specLabel } from "../../components/service/workload.ts";
import { record } from "../support/mocks.ts";

const workload = {
  name: "palmistry-api",
  image: "registry.test:5000/palmistry-api:1.0.0@sha256:0000",
  env: {},
  secretFiles: [],
  attachments: [],
  resources: { memory: "256 MB", cpus: 0.5 },
  replicas: 3,
  health: {
    test: ["CMD", "true"],
    startInterval: "1 second",
    interval: "1 second",
    timeout: "2 seconds",
    retries: 3,
    startPeriod: "5 seconds",
  },
  rollout: { order: "start-first", parallelism: 0, monitor: "2 seconds" },
  stopGracePeriod: "30 seconds",
  user: "1000:1000",
  readOnly: true,
  volumes: {},
  constraints: [],
  tmpfs: {},
} as const;

describe("what depends on a service", () => {
  /** Label of the settings of a service that is ready, by a swarm that answers as told. */
  async function readyService(converge: Converge): Promise<string> {
    const recording = await record(async () => {
      const { docker } = await import("../../components/shared/providers.ts");
      const { Service } = await import("../../components/service/service.ts");
      const provider = new docker.Provider("swarm", { host: "ssh://manager.swarm" });
      const rollouts = new Rollouts(converge);
      const volume = () => ({ provider, constraint: "" });
      const platform = { provider, volume, rollouts, slackMs: 5_000, protect: false };
      const { ready } = new Service("api", { workload, platform });
      await new Promise((resolve) => ready.apply(resolve));
    });
    const labels = recording.get("api-service").inputs["labels"] as { label: string; value: string }[];
    return labels.find(({ label }) => label === specLabel)!.value;
  }

  it("waits until the swarm runs the pinned image with these very settings, for the health budget and some slack", async () => {
    let asked: Parameters<Converge>[0] | undefined;
    const label = await readyService((wanted) => Promise.resolve(void (asked = wanted)));
    assert.deepEqual(asked, {
      name: workload.name,
      image: workload.image,
      spec: label,
      replicas: 3,
      // Start period, three checks of interval and timeout, monitor; then the slack.
      budgetMs: 5_000 + 3 * 3_000 + 2_000 + 5_000,
    });
  });
});
