import { setTimeout as pause } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import Docker from "dockerode";
import type { HostedStore } from "../../components/config/store.ts";
import { finished } from "../../lab/build.ts";
import { execIn, isStatus } from "../../lab/docker.ts";
import { serviceSpec } from "../../lab/plugins/docker/service-spec.ts";
import { record, type Recorded } from "./mocks.ts";
import { startSwarm, type Swarm } from "./swarm.ts";
import { until } from "./until.ts";

/** A running store, as the component asks the swarm for it. */
export interface RunningStore {
  /** Runs a command in the container of a service, the store's own by default; fails with what it printed. */
  exec(argv: readonly string[], service?: string): Promise<string>;
  /** What a service has written into its log. */
  logs(service?: string): Promise<string>;
  /** The container of a service as the daemon describes it. */
  inspect(service?: string): Promise<Docker.ContainerInspectInfo>;
  /** Ends the store's container, by force or not, and waits until the swarm has replaced it with a healthy one. */
  restart(how: "stop" | "kill"): Promise<void>;
  /** Puts another specification, image or password in its place and waits for it. */
  update(spec: HostedStore, passwords: Readonly<Record<string, string>>): Promise<void>;
  /** Ends its services; the volume stays. */
  remove(): Promise<void>;
}

/** A swarm of its own in which stores run from their components' own inputs. */
export class StoreSwarm {
  readonly #swarm: Swarm;
  readonly #network: string;
  readonly #images: Readonly<Record<string, string>>;

  private constructor(swarm: Swarm, network: string, images: Readonly<Record<string, string>>) {
    this.#swarm = swarm;
    this.#network = network;
    this.#images = images;
  }

  /** Images by key: tags that this machine's daemon has. */
  static async start(images: Readonly<Record<string, string>>): Promise<StoreSwarm> {
    const swarm = await startSwarm();
    try {
      for (const tag of new Set(Object.values(images))) {
        await finished(swarm.api, await swarm.api.loadImage(await new Docker().getImage(tag).get()));
      }
      const network = await swarm.api.createNetwork({
        Name: "data",
        Driver: "overlay",
        Internal: true,
        Attachable: true,
      });
      return new StoreSwarm(swarm, network.id, images);
    } catch (error) {
      await swarm.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#swarm.stop();
  }

  async run(name: string, spec: HostedStore, passwords: Readonly<Record<string, string>>): Promise<RunningStore> {
    const { api } = this.#swarm;
    let services = await this.#apply(name, spec, passwords);
    const containerOf = async (service = name): Promise<Docker.Container> => {
      const filters = { label: [`com.docker.swarm.service.name=${service}`], health: ["healthy"] };
      const found = await api.listContainers({ filters });
      if (found.length !== 1) throw new Error(`${service} has ${found.length} healthy containers`);
      return api.getContainer(found[0]!.Id);
    };
    return {
      exec: async (argv, service) => execIn(await containerOf(service), argv),
      inspect: async (service) => (await containerOf(service)).inspect(),
      logs: (service = name) => this.#logs(service),
      restart: async (how) => {
        const before = await containerOf();
        await (how === "kill" ? before.kill() : before.stop());
        await this.#healthy(name, before.id);
      },
      update: async (next, values) => {
        services = await this.#apply(name, next, values);
      },
      remove: async () => {
        for (const service of services) await api.getService(service).remove();
        await until(`${name} is gone`, 60_000, async () => {
          const label = services.map((service) => `com.docker.swarm.service.name=${service}`);
          const left = await Promise.all(
            label.map((one) => api.listContainers({ all: true, filters: { label: [one] } })),
          );
          return left.flat().length === 0 ? true : undefined;
        });
      },
    };
  }

  /** Starts a store that cannot become what it should, and answers with its log as soon as that says so. */
  async refuse(name: string, spec: HostedStore, passwords: Readonly<Record<string, string>>): Promise<string> {
    const [service = name] = await this.#apply(name, spec, passwords, false);
    const said = await until(`${name} says what is wrong`, 60_000, async () => {
      const log = await this.#logs(service);
      return /could not be prepared/.test(log) ? log : undefined;
    });
    const filters = { label: [`com.docker.swarm.service.name=${service}`], health: ["healthy"] };
    const healthy = await this.#swarm.api.listContainers({ filters });
    if (healthy.length > 0) throw new Error(`${name} became healthy in spite of:\n${said}`);
    await this.#swarm.api.getService(service).remove();
    return said;
  }

  /** Runs a client beside the stores, on their network. */
  async client(image: string): Promise<(argv: readonly string[]) => Promise<string>> {
    const container = await this.#swarm.api.createContainer({
      Image: image,
      Cmd: ["sleep", "infinity"],
      HostConfig: { NetworkMode: "data", Init: true },
    });
    await container.start();
    return (argv) => execIn(container, argv);
  }

  /** Creates or updates what the component registers, and waits until it is healthy. */
  async #apply(
    name: string,
    spec: HostedStore,
    passwords: Readonly<Record<string, string>>,
    wait = true,
  ): Promise<string[]> {
    const { api } = this.#swarm;
    const secrets = new Map<string, { id: string; name: string }>();
    const keep = async (id: string, data: string): Promise<void> => {
      const secretName = `${id}-${secrets.size}-${Math.random().toString(36).slice(2)}`;
      const made = (await api.createSecret({ Name: secretName, Data: data })) as unknown as { id: string };
      secrets.set(id, { id: made.id, name: secretName });
    };
    const resources = await registered(name, spec, this.#images, this.#network, passwords);
    for (const [secret, value] of Object.entries(passwords)) await keep(secret, Buffer.from(value).toString("base64"));
    for (const one of resources.filter(({ type }) => type === "docker:index/secret:Secret")) {
      await keep(`${one.name}-id`, String(one.inputs["data"]));
    }
    const services = resources.filter(({ type }) => type === "docker:index/service:Service");
    for (const { inputs } of services) {
      const wanted = serviceSpec(inputs) as {
        TaskTemplate: { ContainerSpec: { Secrets: SecretReference[] } };
      };
      for (const reference of wanted.TaskTemplate.ContainerSpec.Secrets) {
        const real = secrets.get(reference.SecretID);
        if (!real) throw new Error(`nothing made the secret ${reference.SecretID}`);
        Object.assign(reference, { SecretID: real.id, SecretName: real.name });
      }
      const service = String(inputs["name"]);
      const known = (await api.listServices({ filters: { name: [service] } })).find(
        ({ Spec }) => Spec?.Name === service,
      );
      const before =
        known && (await api.listContainers({ filters: { label: [`com.docker.swarm.service.name=${service}`] } }))[0];
      if (known) await api.getService(known.ID).update({ ...wanted, version: known.Version?.Index });
      else await api.createService(wanted as never);
      if (wait) await this.#healthy(service, before?.Id);
    }
    return services.map(({ inputs }) => String(inputs["name"]));
  }

  async #healthy(service: string, before?: string): Promise<void> {
    const filters = { label: [`com.docker.swarm.service.name=${service}`], health: ["healthy"] };
    const deadline = Date.now() + 120_000;
    for (;;) {
      const found = await this.#swarm.api.listContainers({ filters });
      if (found.length === 1 && found[0]?.Id !== before) return;
      if (Date.now() > deadline)
        throw new Error(`${service} did not become healthy:\n${(await this.#logs(service)).slice(-3000)}`);
      await pause(200);
    }
  }

  async #logs(service: string): Promise<string> {
    const { api } = this.#swarm;
    const filters = { service: [service] };
    const tasks = (await api.listTasks({ filters: JSON.stringify(filters) })) as Task[];
    const containers = await api.listContainers({
      all: true,
      filters: { label: [`com.docker.swarm.service.name=${service}`] },
    });
    const texts = await Promise.all(
      containers.map(({ Id }) =>
        api
          .getContainer(Id)
          .logs({ stdout: true, stderr: true, tail: 200 })
          .catch((error: unknown) => {
            // The swarm clears away what has failed whenever it likes.
            if (isStatus(error, 404)) return "";
            throw error;
          }),
      ),
    );
    return [
      ...tasks.map(({ Status }) => `${Status?.State ?? ""} ${Status?.Err ?? ""}`),
      ...texts.toReversed().map(String),
    ].join("\n");
  }
}

interface Task {
  readonly Status?: { readonly Err?: string; readonly State?: string };
}

interface SecretReference {
  SecretID: string;
  SecretName: string;
}

/** What the component registers for a store; its service's secrets carry the ids that the recorder gave them. */
async function registered(
  name: string,
  spec: HostedStore,
  images: Readonly<Record<string, string>>,
  network: string,
  passwords: Readonly<Record<string, string>>,
): Promise<readonly Recorded[]> {
  const recording = await record(async () => {
    const { Store } = await import("../../components/data/store.ts");
    return new Store(name, {
      spec,
      physicalName: (thing) => thing,
      image: (key) => images[key]!,
      attachments: (alias) => [{ networkId: network, alias }],
      secrets: {
        file: (secret) => ({ secretId: secret, secretName: secret }),
        value: (secret) => pulumi.secret(passwords[secret]!),
      },
      platform: {
        provider: undefined as never,
        volume: () => ({ provider: undefined as never, constraint: "node.role==manager" }),
        rollouts: undefined,
        slackMs: 0,
        protect: false,
      },
    });
  });
  return recording.resources;
}
