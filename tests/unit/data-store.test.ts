import assert from "node:assert/strict";
import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../../components/config/load.ts";
import { store as schema, type HostedStore, type ManagedStore } from "../../components/config/store.ts";
import type { Managers } from "../../components/service/schedule.ts";
import { record, type Recorded, type Recording } from "../support/mocks.ts";
import { sampleConfig } from "../support/sample-config.ts";

const spec = schema.parse({
  kind: "postgres",
  image: "postgres",
  networks: ["data"],
  resources: { memory: "1 GB" },
  roles: { app: { passwordSecret: "APP" } },
  databases: { app: { owner: "app" } },
  pooler: { image: "pgbouncer", resources: { memory: "64 MB" } },
}) as HostedStore;

async function build(store: HostedStore, protect = true): Promise<Recording<unknown>> {
  return record(async () => {
    const { docker } = await import("../../components/shared/providers.ts");
    const { Store } = await import("../../components/data/store.ts");
    const provider = new docker.Provider("manager", {});
    const made = new Store("main", {
      spec: store,
      physicalName: (name) => `shop-${name}`,
      image: (key) => `registry.test/${key}:1`,
      attachments: (alias) => [{ networkId: "net", alias }],
      secrets: {
        file: (name) => ({ secretId: `${name}-id`, secretName: name }),
        value: (name) => pulumi.secret(`value of ${name}`),
      },
      platform: { provider, volume: () => ({ provider, constraint: "" }), rollouts: undefined, slackMs: 0, protect },
    });
    return made.running;
  });
}

interface Container {
  readonly image: string;
  readonly user: string;
  readonly commands: string[];
  readonly secrets: { fileName: string; fileUid: string; fileMode: number; secretId: string }[];
  readonly mounts: { type: string; source?: string; target: string }[];
  readonly env: Record<string, string>;
}
const containerOf = ({ inputs }: Recorded) =>
  (inputs as { taskSpec: { containerSpec: Container } }).taskSpec.containerSpec;

describe("Store", () => {
  it("is a volume, files with credentials and a service; with a pooler one service more, behind the first", async () => {
    const store = await build(spec);
    assert.deepEqual(store.names(), [
      "main berth:data:Store",
      "main berth:service:Service",
      "main-pooler berth:service:Service",
      "main-pooler-pgbouncer-ini docker:index/secret:Secret",
      "main-pooler-service docker:index/service:Service",
      "main-pooler-userlist-txt docker:index/secret:Secret",
      "main-service docker:index/service:Service",
      "main-volume docker:index/volume:Volume",
      "manager pulumi:providers:docker",
    ]);
    assert.deepEqual(store.result, {
      main: { service: "shop-main", image: "registry.test/postgres:1" },
      "main-pooler": { service: "shop-main-pooler", image: "registry.test/pgbouncer:1" },
    });
    assert.ok(store.get("main-pooler", "berth:service:Service").dependsOn.includes("main-service"));
    assert.ok(store.get("main", "berth:service:Service").dependsOn.includes("main-volume"));
  });

  it("protects what holds data, but for the local environment", async () => {
    const volume = (await build(spec)).get("main-volume");
    assert.deepEqual([volume.protect, volume.retainOnDelete, volume.inputs], [true, true, { name: "shop-main" }]);
    const local = (await build(spec, false)).get("main-volume");
    assert.deepEqual([local.protect, local.retainOnDelete], [false, false]);
  });

  it("lets the server's user alone read its credentials, and names them in no variable", async () => {
    const store = await build(spec);
    const main = containerOf(store.get("main-service"));
    assert.equal(main.user, "999:999");
    assert.deepEqual(
      main.secrets.map(({ fileName, fileUid, fileMode }) => [fileName, fileUid, fileMode]),
      [["APP", "999", 0o400]],
    );
    assert.deepEqual(main.env, { POSTGRES_USER: "postgres", PGDATA: "/var/lib/postgresql/data" });
    const userlist = store.get("main-pooler-userlist-txt");
    assert.deepEqual(userlist.secrets, ["data"]);
    assert.equal(Buffer.from(String(userlist.inputs["data"]), "base64").toString(), '"app" "value of APP"\n');
  });

  it("keeps its data on one volume and never has two servers on it; a pooler keeps nothing and may overlap", async () => {
    const store = await build(spec);
    const volumes = (name: string) =>
      containerOf(store.get(name))
        .mounts.filter(({ type }) => type === "volume")
        .map(({ source, target }) => [source, target]);
    assert.deepEqual(volumes("main-service"), [["shop-main", "/var/lib/postgresql/data"]]);
    assert.deepEqual(volumes("main-pooler-service"), []);
    const order = (name: string) => (store.get(name).inputs["updateConfig"] as { order: string }).order;
    assert.deepEqual([order("main-service"), order("main-pooler-service")], ["stop-first", "start-first"]);
  });

  it("starts the image's own entrypoint where the image makes the users", async () => {
    const mongodb = schema.parse({
      kind: "mongodb",
      image: "mongo",
      networks: ["data"],
      resources: { memory: "1 GB" },
      passwordSecret: "ROOT",
    }) as HostedStore;
    const container = containerOf((await build(mongodb)).get("main-service"));
    assert.equal(container.commands, undefined);
  });
});

/** A manager that takes scripts as any host does. */
async function standInManager(): Promise<Managers> {
  const { command } = await import("../../components/shared/providers.ts");
  return {
    runOnManager: (name, { script }, opts) => new command.local.Command(name, { create: "sh -s", stdin: script }, opts),
    onManagers: () => [],
  };
}

describe("Managed", () => {
  const managed = { kind: "managed", server: "redis", urlSecret: "URL", tls: true } satisfies ManagedStore;
  const check = async (release: string) => {
    const recording = await record(async () => {
      const { Managed } = await import("../../components/data/managed.ts");
      const url = pulumi.secret("rediss://:hidden@cache.test:6380");
      return new Managed("cache", { spec: managed, url, release, manager: await standInManager() });
    });
    return recording.get("cache-check");
  };

  it("asks the store from a machine of the swarm, with nothing secret in clear", async () => {
    const { inputs, secrets } = await check("0123");
    assert.equal(inputs["create"], "sh -s");
    assert.match(String(inputs["stdin"]), /^reach 'cache\.test' 6380$/m);
    assert.ok(secrets.includes("stdin"), "it names the host, which is part of a secret");
    assert.ok(!JSON.stringify(inputs).includes("hidden"));
  });

  it("asks again for another release and not otherwise", async () => {
    const stdin = async (release: string) => (await check(release)).inputs["stdin"];
    assert.equal(await stdin("0123"), await stdin("0123"));
    assert.notEqual(await stdin("0123"), await stdin("4567"));
  });
});

describe("the workloads of a system with a managed store", () => {
  const url = "postgresql+asyncpg://u:p@pooler.provider.test:6543/postgres";
  const { postgres, ...images } = Object.fromEntries(
    Object.entries(sampleConfig().images).map(([key, { ref }]) => [key, ref]),
  );

  const build = (config: Config) =>
    record(async () => {
      const { docker } = await import("../../components/shared/providers.ts");
      const { Networks } = await import("../../components/network/networks.ts");
      const { Secrets } = await import("../../components/secrets/secrets.ts");
      const { createWorkloads } = await import("../../components/workloads/workloads.ts");
      const provider = new docker.Provider("manager", {});
      const networks = new Networks("networks", { config, provider });
      const secrets = new Secrets("secrets", { config, provider });
      const volume = () => ({ provider, constraint: "" });
      const platform = { provider, volume, rollouts: undefined, slackMs: 0, protect: false };
      const manager = await standInManager();
      return createWorkloads({ config, networks, secrets, platform, manager }, {}).running;
    });

  it("run nothing for it, and wait until it has been asked", async () => {
    assert.ok(postgres);
    const config = sampleConfig({
      "berth:managed": JSON.stringify({ postgres: { urlSecret: "DATABASE_URL" } }),
      "berth:images": JSON.stringify(images),
      "palmistry:DATABASE_URL": url,
    });
    const recording = await build(config);
    assert.deepEqual(Object.keys(recording.result as object).toSorted(), ["api", "frontend", "redis", "worker"]);
    assert.ok(recording.get("migrate").dependsOn.includes("postgres-check"));
    assert.ok(recording.get("api").dependsOn.includes("postgres-check"));
  });
});
