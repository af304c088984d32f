import * as pulumi from "@pulumi/pulumi";
import { poolerName } from "../config/store-rules.ts";
import type { HostedStore, PostgresStore } from "../config/store.ts";
import type { Resources } from "../config/resources.ts";
import { docker } from "../shared/providers.ts";
import { allReady, type Ready } from "../shared/ready.ts";
import { Service, type Platform } from "../service/service.ts";
import type { Attachment, SecretFile } from "../service/workload.ts";
import { clickhouseServer } from "./clickhouse.ts";
import { mongodbServer } from "./mongodb.ts";
import { pgbouncerServer } from "./pgbouncer.ts";
import { postgresServer } from "./postgres.ts";
import { rabbitmqServer } from "./rabbitmq.ts";
import { redisServer } from "./redis.ts";
import { type RenderedFile, type StoreServer } from "./server.ts";

export interface StoreArgs {
  readonly spec: HostedStore;
  /** Name outside of Pulumi for a name within the system. */
  readonly physicalName: (name: string) => string;
  /** Pinned image reference by key. */
  readonly image: (key: string) => string;
  readonly attachments: (alias: string) => readonly Attachment[];
  readonly secrets: StoreSecrets;
  readonly platform: Platform;
}

/** Secrets of the system, by name. */
export interface StoreSecrets {
  file(name: string): Omit<SecretFile, "name" | "mode">;
  value(name: string): pulumi.Output<string>;
}

/**
 * A hosted data store: one server on a named volume, never on a public port; where the system asks for it, a pooler in
 * front.
 *
 * Creates: one `docker.Volume`, a `docker.Secret` for each file with credentials, one `Service` that stops before it
 * starts, since two servers must not share a data directory, kept on the host of its volume; for a pooler a second
 * `Service`. Stateful: yes; outside the local environment the volume is protected and survives its own removal from
 * the program.
 */
export class Store extends pulumi.ComponentResource {
  /** What runs, by name within the system. */
  readonly running: Readonly<Record<string, { readonly service: string; readonly image: string }>>;
  /** What dependants wait for. */
  readonly ready: Ready;

  constructor(name: string, args: StoreArgs, opts?: pulumi.ComponentResourceOptions) {
    const { spec, platform } = args;
    super("berth:data:Store", name, { kind: spec.kind, image: args.image(spec.image) }, opts);
    const server = serverOf(spec);
    const place = platform.volume(name);

    const volume = new docker.Volume(
      `${name}-volume`,
      { name: args.physicalName(name) },
      { parent: this, provider: place.provider, protect: platform.protect, retainOnDelete: platform.protect },
    );
    const main = this.#run(name, args, server, spec, [volume]);
    const pooler =
      spec.kind === "postgres" && spec.pooler ? this.#pool(name, args, spec, spec.pooler, main) : undefined;
    this.running = {
      [name]: { service: main.service, image: main.image },
      ...(pooler && { [poolerName(name)]: { service: pooler.service, image: pooler.image } }),
    };
    this.ready = allReady([main.ready, ...(pooler ? [pooler.ready] : [])]);

    this.registerOutputs({ running: this.running });
  }

  #run(
    name: string,
    args: StoreArgs,
    server: StoreServer,
    spec: { readonly image: string; readonly resources: Resources; readonly user: string },
    dependsOn: pulumi.Input<pulumi.Resource[]>,
  ): Service {
    const { platform, secrets } = args;
    const volumes = server.dataDirectory === undefined ? {} : { [args.physicalName(name)]: server.dataDirectory };
    return new Service(
      name,
      {
        platform,
        workload: {
          name: args.physicalName(name),
          image: args.image(spec.image),
          entrypoint: server.entrypoint,
          args: server.args,
          env: server.env,
          secretFiles: [],
          files: [
            ...server.secrets.map((secret) => ({ name: secret, ...secrets.file(secret), mode: 0o400 })),
            ...server.files.map((file) => this.#file(name, file, secrets, platform)),
          ],
          attachments: args.attachments(name),
          resources: spec.resources,
          replicas: 1,
          health: {
            test: server.health,
            startInterval: "2 seconds",
            interval: "10 seconds",
            timeout: "5 seconds",
            retries: 5,
            startPeriod: "60 seconds",
          },
          rollout: {
            order: server.dataDirectory === undefined ? "start-first" : "stop-first",
            parallelism: 1,
            monitor: "2 seconds",
          },
          stopGracePeriod: server.stopGracePeriod,
          stopSignal: server.stopSignal,
          user: spec.user,
          readOnly: true,
          volumes,
          constraints: server.dataDirectory === undefined ? [] : [platform.volume(name).constraint],
          tmpfs: server.tmpfs,
        },
      },
      { parent: this, dependsOn },
    );
  }

  /** A file for the server alone. Docker's name for it is Pulumi's, so that it can be replaced like a secret. */
  #file(
    name: string,
    { name: file, from, render }: RenderedFile,
    secrets: StoreSecrets,
    platform: Platform,
  ): SecretFile {
    const values = pulumi.all(Object.fromEntries(from.map((secret) => [secret, secrets.value(secret)])));
    const secret = new docker.Secret(
      `${name}-${file.replaceAll(".", "-")}`,
      { data: pulumi.secret(values.apply((plain) => Buffer.from(render(plain)).toString("base64"))) },
      { parent: this, provider: platform.provider },
    );
    return { name: file, secretId: secret.id, secretName: secret.name, mode: 0o400 };
  }

  #pool(
    name: string,
    args: StoreArgs,
    spec: PostgresStore,
    pooler: NonNullable<PostgresStore["pooler"]>,
    main: Service,
  ): Service {
    const server = pgbouncerServer({ ...spec, pooler }, name);
    return this.#run(poolerName(name), args, server, { ...pooler, user: spec.user }, main.ready);
  }
}

function serverOf(spec: HostedStore): StoreServer {
  switch (spec.kind) {
    case "postgres":
      return postgresServer(spec);
    case "redis":
      return redisServer(spec);
    case "rabbitmq":
      return rabbitmqServer(spec);
    case "mongodb":
      return mongodbServer(spec);
    case "clickhouse":
      return clickhouseServer(spec);
  }
}
