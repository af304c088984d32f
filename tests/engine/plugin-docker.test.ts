import assert from "node:assert/strict";
import { PulumiProject, type Step } from "../support/pulumi.ts";
import { type Swarm, startSwarm } from "../support/swarm.ts";

/*
 * What the docker provider makes of a system's life, on a swarm of its own. The official plugin and the stand-in have
 * to give the same answers; `LAB_PLUGINS` chooses between them.
 */

const program = `
const base64 = (text) => Buffer.from(text).toString("base64");
const backend = new docker.Network("backend", { driver: "overlay", attachable: true });
const networks = [{ id: backend.id, aliases: ["api"] }];
if (settings.second) networks.push({ id: new docker.Network("second", { driver: "overlay" }).id, aliases: ["api"] });
const data = new docker.Volume("data");
const password = new docker.Secret("password", { data: pulumi.secret(base64(settings.password)) });
const conf = new docker.ServiceConfig("conf", { data: base64("listen 80") });
const api = new docker.Service("api", {
  name: "api",
  labels: [{ label: "release", value: settings.release ?? "1" }],
  taskSpec: {
    containerSpec: {
      image: settings.image,
      commands: ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"],
      env: { LOG: settings.log ?? "info", MODE: "web" },
      healthcheck: { tests: ["CMD", "/bin/cat", "/version"], interval: "1s", timeout: "2s", startPeriod: "5s", retries: 3 },
      stopGracePeriod: "20s",
      secrets: [{ secretId: password.id, secretName: password.name, fileName: "password" }],
      configs: [{ configId: conf.id, configName: conf.name, fileName: "/etc/conf" }],
      mounts: [{ type: "volume", source: data.name, target: "/data" }],
    },
    networksAdvanceds: networks,
    resources: { limits: { memoryBytes: 64 * 1024 * 1024 } },
    placement: { constraints: ["node.role==manager"], platforms: settings.platforms },
    restartPolicy: { condition: "any", delay: "1s", window: "0s" },
  },
  mode: { replicated: { replicas: settings.replicas ?? 1 } },
  updateConfig: { parallelism: 0, order: "start-first", monitor: "1s", failureAction: "rollback" },
  endpointSpec: { mode: "dnsrr", ports: settings.ports },
});
export const id = api.id;
`;

interface ServiceSpec {
  readonly Labels: Readonly<Record<string, string>>;
  readonly Mode: { readonly Replicated: { Replicas: number } };
  readonly EndpointSpec: { readonly Mode: string };
  readonly TaskTemplate: {
    readonly ContainerSpec: {
      Image: string;
      readonly Env: readonly string[];
      readonly StopGracePeriod: number;
      readonly Init: boolean;
      readonly Secrets: readonly { readonly SecretID: string }[];
    };
    readonly Networks: readonly unknown[];
    readonly RestartPolicy: { readonly Delay: number };
  };
}

describe("docker on the real engine", function () {
  this.timeout(300_000);
  let swarm: Swarm;
  let project: PulumiProject;
  let images: Record<"first" | "second", string>;
  let said: Record<string, unknown>;

  /** What the program says from now on, besides what it said before. */
  const say = async (settings: Record<string, unknown>) => {
    said = { ...said, ...settings };
    await project.settings(said);
  };
  const preview = async () =>
    (await project.preview()).map(({ op, urn, detailedDiff }) => [op, urn.split("::").at(-1), ...paths(detailedDiff)]);
  const paths = (detailed: Step["detailedDiff"]) => Object.keys(detailed ?? {}).sort();
  const refresh = async () => {
    const { code, stdout } = await project.run("refresh", "--yes", "--skip-preview");
    assert.equal(code, 0, stdout);
  };
  const inspect = async () =>
    (await swarm.api.getService("api").inspect()) as { Version: { Index: number }; Spec: ServiceSpec };
  const spec = async () => (await inspect()).Spec;

  before(async () => {
    swarm = await startSwarm();
    images = {
      first: await swarm.image("app", "1.0.0", { "/version": "1.0.0" }),
      second: await swarm.image("app", "1.1.0", { "/version": "1.1.0" }),
    };
    const env = { DOCKER_HOST: swarm.host };
    project = await PulumiProject.create({ program, dependencies: ["@pulumi/docker"], env });
    said = { image: images.first, password: "first password" };
    await say({});
  });
  after(async () => {
    await project.remove();
    const { api } = swarm;
    const left = await Promise.all([api.listServices(), api.listSecrets(), api.listConfigs()]);
    assert.deepEqual(left, [[], [], []], "destroy leaves nothing behind");
    await swarm.stop();
  });

  it("gives the swarm what was asked for, zeros for what was not, and keeps the secret's data secret", async () => {
    assert.deepEqual(new Set((await preview()).map(([op]) => op)), new Set(["create"]));
    await project.mustUp();
    const { Labels, Mode, EndpointSpec, TaskTemplate } = await spec();
    const { Image, Env, StopGracePeriod, Init } = TaskTemplate.ContainerSpec;
    assert.deepEqual(
      [Labels, Mode.Replicated.Replicas, EndpointSpec.Mode, Image, [...Env].sort(), StopGracePeriod, Init],
      [{ release: "1" }, 1, "dnsrr", images.first, ["LOG=info", "MODE=web"], 20e9, false],
    );
    assert.equal(TaskTemplate.RestartPolicy.Delay, 1e9);
    const state = await project.state();
    assert.ok(!state.includes(Buffer.from("first password").toString("base64")));
    assert.match(String((await project.resource("password"))?.outputs?.["name"]), /^password-[0-9a-f]{7}$/);
  });

  it("finds nothing to do afterwards", async () => {
    assert.ok(await project.isSettled());
  });

  it("finds the platforms that the registry added after a refresh, until the program names them", async () => {
    await refresh();
    assert.deepEqual(await preview(), [["update", "api", "taskSpec.placement.platforms"]]);
    const [node] = (await swarm.api.listNodes()) as [{ Description: { Platform: { Architecture: string } } }];
    const architecture = node.Description.Platform.Architecture === "x86_64" ? "amd64" : "arm64";
    await say({ platforms: [{ architecture, os: "linux" }] });
    assert.ok(await project.isSettled());
    await refresh();
    assert.ok(await project.isSettled());
  });

  it("updates image, variables, replicas and its own labels in place, naming exactly what changes", async () => {
    const changes: [Record<string, unknown>, string][] = [
      [{ image: images.second }, "taskSpec.containerSpec.image"],
      [{ log: "debug" }, "taskSpec.containerSpec.env.LOG"],
      [{ replicas: 2 }, "mode.replicated.replicas"],
      [{ release: "2" }, "labels[0].value"],
    ];
    const before = said;
    for (const [change, path] of changes) {
      await project.settings({ ...before, ...change });
      assert.deepEqual(await preview(), [["update", "api", path]]);
      said = { ...said, ...change };
    }
    const { id } = await project.outputs();
    await say({});
    await project.mustUp();
    const { Labels, Mode, TaskTemplate } = await spec();
    assert.deepEqual([Labels, Mode.Replicated.Replicas], [{ release: "2" }, 2]);
    assert.equal(TaskTemplate.ContainerSpec.Image, images.second);
    assert.deepEqual([...TaskTemplate.ContainerSpec.Env].sort(), ["LOG=debug", "MODE=web"]);
    assert.equal((await project.outputs())["id"], id);
    assert.ok(await project.isSettled());
  });

  it("rotates a secret in one run: the new one first, the old one last", async () => {
    const old = (await project.resource("password"))!.id;
    await say({ password: "second password" });
    assert.deepEqual(await preview(), [
      ["replace", "password", "data"],
      ["update", "api", "taskSpec.containerSpec.secrets[0].secretId", "taskSpec.containerSpec.secrets[0].secretName"],
    ]);
    await project.mustUp();
    const secrets = (await swarm.api.listSecrets()).map(({ ID }) => ID);
    assert.equal(secrets.length, 1);
    assert.notEqual(secrets[0], old);
    assert.deepEqual(
      (await spec()).TaskTemplate.ContainerSpec.Secrets.map(({ SecretID }) => SecretID),
      secrets,
    );
  });

  it("replaces a named service for another network, the old one deleted first", async () => {
    const { id } = await project.outputs();
    await say({ second: true });
    const [create, replace, ...others] = await preview();
    assert.deepEqual([create, replace?.slice(0, 2), others], [["create", "second"], ["replace", "api"], []]);
    assert.ok(replace?.includes("taskSpec.networksAdvanceds"));
    // Two services can't have one name at a time.
    await project.mustUp();
    assert.notEqual((await project.outputs())["id"], id);
    assert.equal((await spec()).TaskTemplate.Networks.length, 2);
    assert.ok(await project.isSettled());
  });

  it("notices what others changed only by a refresh, and puts it back", async () => {
    const { Version, Spec } = await inspect();
    Spec.Mode.Replicated.Replicas = 1;
    Spec.TaskTemplate.ContainerSpec.Image = images.first;
    await swarm.api.getService("api").update({ ...Spec, version: Version.Index });
    assert.ok(await project.isSettled());
    await refresh();
    assert.deepEqual(await preview(), [["update", "api", "mode.replicated.replicas", "taskSpec.containerSpec.image"]]);
    await project.mustUp();
    const { Mode, TaskTemplate } = await spec();
    assert.deepEqual([Mode.Replicated.Replicas, TaskTemplate.ContainerSpec.Image], [2, images.second]);
  });

  it("tries a refused update again on every run, until a refresh and a program that fits", async () => {
    const settled = said;
    await say({ ports: [{ targetPort: 80, publishedPort: 8080 }] });
    assert.deepEqual(await preview(), [["update", "api", "endpointSpec.ports"]]);
    const refused = await project.up();
    assert.notEqual(refused.code, 0);
    assert.match(refused.stdout + refused.stderr, /port published with ingress mode can't be used with dnsrr mode/);
    assert.deepEqual(await preview(), [["update", "api"]]);
    said = settled;
    await say({});
    assert.notDeepEqual(await preview(), []);
    await refresh();
    assert.ok(await project.isSettled());
  });
});
