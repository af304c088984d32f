import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../config/load.ts";
import type { HealthCheck, JobService, RunningService } from "../config/system.ts";
import { Store } from "../data/store.ts";
import type { Networks } from "../network/networks.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { Job, type ManagerShell } from "../service/job.ts";
import { Service, type Platform } from "../service/service.ts";
import type { Attachment, SecretFile } from "../service/workload.ts";
import { physicalName } from "../shared/naming.ts";
import { docker } from "../shared/providers.ts";
import { allReady, type Ready } from "../shared/ready.ts";
import { dependencyOrder } from "./order.ts";

export interface WorkloadsArgs {
  readonly config: Config;
  readonly networks: Networks;
  readonly secrets: Secrets;
  readonly platform: Platform;
  /** How jobs reach a swarm manager. */
  readonly manager: ManagerShell;
}

/** The running part of a system, by its names in the system file. */
export interface Workloads {
  /** Applications and stores with the image each is pinned to. */
  readonly running: Readonly<Record<string, { readonly service: string; readonly image: string }>>;
  /** Passed when all of it is live. */
  readonly ready: Ready;
}

/** Creates stores, jobs and services, each after what it depends on. */
export function createWorkloads(args: WorkloadsArgs, opts: pulumi.ComponentResourceOptions): Workloads {
  const { config } = args;
  const { services, data } = config.system;
  createVolumes(args);

  const running: Record<string, Service | Store> = {};
  const ready: Record<string, Ready> = {};
  const order = dependencyOrder({
    ...Object.fromEntries(Object.keys(data).map((name) => [name, []])),
    ...Object.fromEntries(Object.entries(services).map(([name, { dependsOn }]) => [name, dependsOn])),
  });
  for (const name of order) {
    const service = services[name];
    const after = { dependsOn: allReady((service?.dependsOn ?? []).flatMap((dependency) => ready[dependency] ?? [])) };
    const options = pulumi.mergeOptions(opts, after) as pulumi.ComponentResourceOptions;
    if (service?.kind === "job") {
      ready[name] = createJob(name, service, args, options).ready;
    } else {
      const workload = service ? createService(name, service, args, options) : createStore(name, args, options);
      running[name] = workload;
      ready[name] = workload.ready;
    }
  }
  return {
    running: Object.fromEntries(
      Object.entries(running).map(([name, { service, image }]) => [name, { service, image }]),
    ),
    ready: allReady(Object.values(ready)),
  };
}

function createService(name: string, spec: RunningService, args: WorkloadsArgs, opts: pulumi.ComponentResourceOptions) {
  const { config, secrets, platform } = args;
  return new Service(
    name,
    {
      platform,
      workload: {
        name: physicalName(config.system.name, name),
        image: pin(config, spec.image),
        args: spec.command,
        env: environment(spec, secrets),
        secretFiles: spec.secrets.map((secret) => secretFile(secret, secrets)),
        attachments: attachments(name, spec.networks, args.networks),
        resources: spec.resources,
        replicas: spec.replicas,
        health: { ...spec.health, test: healthTest(spec.health, spec.kind === "web" ? spec.port : undefined) },
        rollout: spec.rollout,
        stopGracePeriod: spec.stopGracePeriod,
        user: spec.user,
        readOnly: spec.readOnly,
        volumes: Object.fromEntries(
          Object.entries(spec.volumes).map(([volume, path]) => [physicalName(config.system.name, volume), path]),
        ),
        constraints: [...new Set(Object.keys(spec.volumes).map((volume) => platform.volume(volume).constraint))],
        tmpfs: spec.readOnly ? { "/tmp": "64 MB" } : {},
      },
    },
    opts,
  );
}

function createStore(name: string, args: WorkloadsArgs, opts: pulumi.ComponentResourceOptions): Store {
  const { config, secrets, platform } = args;
  const spec = config.system.data[name];
  if (!spec) throw new Error(`no store "${name}"`);
  return new Store(
    name,
    {
      spec,
      platform,
      physicalName: physicalName(config.system.name, name),
      image: pin(config, spec.image),
      attachments: attachments(name, spec.networks, args.networks),
      password: secretFile(spec.passwordSecret, secrets),
    },
    opts,
  );
}

function createJob(name: string, spec: JobService, args: WorkloadsArgs, opts: pulumi.ComponentResourceOptions): Job {
  const { config, secrets, networks } = args;
  return new Job(
    name,
    {
      manager: args.manager,
      script: {
        name: physicalName(config.system.name, name),
        image: pin(config, spec.image),
        command: spec.command ?? [],
        env: spec.env,
        secrets: spec.secrets.map((secret) => ({ name: secret, secretName: secrets.file(secret).secretName })),
        networks: spec.networks.map((tier) => networks.name(tier)),
        resources: spec.resources,
        user: spec.user,
        readOnly: spec.readOnly,
        timeout: spec.timeout,
      },
    },
    opts,
  );
}

function createVolumes({ config, platform }: WorkloadsArgs): void {
  const names = new Set(
    Object.values(config.system.services).flatMap((service) =>
      service.kind === "job" ? [] : Object.keys(service.volumes),
    ),
  );
  for (const name of names) {
    new docker.Volume(
      `${name}-volume`,
      { name: physicalName(config.system.name, name) },
      { provider: platform.volume(name).provider, protect: platform.protect, retainOnDelete: platform.protect },
    );
  }
}

function pin(config: Config, key: string): string {
  const image = config.images[key];
  if (!image) throw new Error(`no image "${key}"`);
  return image.ref;
}

function environment(spec: RunningService, secrets: Secrets): Record<string, pulumi.Input<string>> {
  return { ...spec.env, ...Object.fromEntries(spec.secretsAsEnv.map((name) => [name, secrets.value(name)])) };
}

function secretFile(name: string, secrets: Secrets): SecretFile {
  return { name, ...secrets.file(name) };
}

function attachments(alias: string, tiers: readonly string[], networks: Networks): Attachment[] {
  return tiers.map((tier) => ({ networkId: networks.id(tier), alias }));
}

/** How Docker asks a container: an HTTP path by the image's own wget, or the command the system names. */
export function healthTest(health: HealthCheck, port: number | undefined): string[] {
  if (health.command) return ["CMD", ...health.command];
  return ["CMD", "wget", "-q", "-O", "/dev/null", `http://127.0.0.1:${port ?? 80}${health.path ?? "/"}`];
}
