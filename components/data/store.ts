import * as pulumi from "@pulumi/pulumi";
import type { Store as StoreSpec } from "../config/system.ts";
import type { Duration } from "../shared/duration.ts";
import { docker } from "../shared/providers.ts";
import type { Size } from "../shared/size.ts";
import { Service, type Platform } from "../service/service.ts";
import type { Attachment, SecretFile } from "../service/workload.ts";
import { postgresServer } from "./postgres.ts";
import type { Ready } from "../shared/ready.ts";
import { redisServer } from "./redis.ts";

/** What one kind of server needs beyond what all stores share. */
export interface StoreServer {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dataDirectory: string;
  readonly tmpfs: Readonly<Record<string, Size>>;
  readonly health: readonly string[];
  readonly stopSignal: string;
  readonly stopGracePeriod: Duration;
}

export interface StoreArgs {
  readonly spec: StoreSpec;
  /** Physical name of service and volume. */
  readonly physicalName: string;
  /** Pinned image reference. */
  readonly image: string;
  readonly attachments: readonly Attachment[];
  readonly password: SecretFile;
  readonly platform: Platform;
}

/**
 * A hosted data store: one server on a named volume, never on a public port.
 *
 * Creates: one `docker.Volume`, one `Service` that stops before it starts, since two servers must not share a data
 * directory, kept on the host of its volume. Stateful: yes; outside the local environment the volume is protected and survives its own removal from
 * the program.
 */
export class Store extends pulumi.ComponentResource {
  readonly service: string;
  readonly image: string;
  /** What dependants wait for. */
  readonly ready: Ready;

  constructor(name: string, args: StoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("berth:data:Store", name, { kind: args.spec.kind, image: args.image }, opts);
    const { spec, platform } = args;
    const server = serverOf(spec);
    const place = platform.volume(name);

    const volume = new docker.Volume(
      `${name}-volume`,
      { name: args.physicalName },
      { parent: this, provider: place.provider, protect: platform.protect, retainOnDelete: platform.protect },
    );
    const workload = new Service(
      name,
      {
        platform,
        workload: {
          name: args.physicalName,
          image: args.image,
          args: server.args,
          env: server.env,
          secretFiles: [args.password],
          attachments: args.attachments,
          resources: spec.resources,
          replicas: 1,
          health: {
            test: server.health,
            interval: "2 seconds",
            timeout: "5 seconds",
            retries: 5,
            startPeriod: "60 seconds",
          },
          rollout: { order: "stop-first", parallelism: 1, monitor: "2 seconds" },
          stopGracePeriod: server.stopGracePeriod,
          stopSignal: server.stopSignal,
          readOnly: true,
          volumes: { [args.physicalName]: server.dataDirectory },
          constraints: [place.constraint],
          tmpfs: server.tmpfs,
        },
      },
      { parent: this, dependsOn: [volume] },
    );
    this.service = workload.service;
    this.image = workload.image;
    this.ready = workload.ready;

    this.registerOutputs({ service: this.service, image: this.image });
  }
}

function serverOf(spec: StoreSpec): StoreServer {
  switch (spec.kind) {
    case "postgres":
      return postgresServer(spec);
    case "redis":
      return redisServer(spec);
  }
}
