import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type { Config } from "../config/load.ts";
import {
  isEnding,
  type EndingService,
  type HealthCheck,
  type JobService,
  type RunningService,
  type ScheduleService,
} from "../config/service.ts";
import { Managed } from "../data/managed.ts";
import { Store } from "../data/store.ts";
import type { Networks } from "../network/networks.ts";
import type { Secrets } from "../secrets/secrets.ts";
import { Job, type JobArgs } from "../service/job.ts";
import { Schedule, type Managers } from "../service/schedule.ts";
import { Service, type Platform } from "../service/service.ts";
import type { Attachment, SecretFile } from "../service/workload.ts";
import { physicalName } from "../shared/naming.ts";
import { docker } from "../shared/providers.ts";
import { quote } from "../shared/shell.ts";
import { allReady, type Ready } from "../shared/ready.ts";
import { createFiles } from "./files.ts";
import { dependencyOrder } from "./order.ts";
import { rolloutPlan } from "./rollout-plan.ts";

export interface WorkloadsArgs {
  readonly config: Config;
  readonly networks: Networks;
  readonly secrets: Secrets;
  readonly platform: Platform;
  /** How jobs and schedules reach the managers of the swarm. */
  readonly manager: Managers;
}

/** The running part of a system, by its names in the system file. */
export interface Workloads {
  /** Applications and stores with the image each is pinned to. */
  readonly running: Readonly<Record<string, { readonly service: string; readonly image: string }>>;
  /** Schedules by the names of their swarm services. */
  readonly schedules: Readonly<Record<string, string>>;
  /** Passed when all of it is live. */
  readonly ready: Ready;
}

/** Creates stores, jobs, services and schedules, each after what it depends on. */
export function createWorkloads(args: WorkloadsArgs, opts: pulumi.ComponentResourceOptions): Workloads {
  const { config, platform } = args;
  const { services, data } = config.system;
  createVolumes(args);

  const running: Record<string, Workloads["running"][string]> = {};
  const schedules: Record<string, string> = {};
  const ready: Record<string, Ready> = {};
  const order = dependencyOrder({
    ...Object.fromEntries(Object.keys(data).map((name) => [name, []])),
    ...Object.fromEntries(Object.entries(services).map(([name, { dependsOn }]) => [name, dependsOn])),
  });
  platform.rollouts?.plan(rolloutPlan(config.system));
  for (const name of order) {
    const service = services[name];
    const after = { dependsOn: allReady((service?.dependsOn ?? []).flatMap((dependency) => ready[dependency] ?? [])) };
    const options = pulumi.mergeOptions(opts, after) as pulumi.ComponentResourceOptions;
    if (service?.kind === "job") {
      ready[name] = createJob(name, service, args, options).ready;
    } else if (service?.kind === "schedule") {
      const schedule = createSchedule(name, service, args, options);
      schedules[name] = schedule.service;
      ready[name] = schedule.ready;
    } else {
      const workload = service ? createService(name, service, args, options) : createStore(name, args, options);
      Object.assign(running, workload.running);
      ready[name] = workload.ready;
    }
  }
  return { running, schedules, ready: allReady(Object.values(ready)) };
}

function createService(name: string, spec: RunningService, args: WorkloadsArgs, opts: pulumi.ComponentResourceOptions) {
  const { config, secrets, platform } = args;
  const { service, image, ready } = new Service(
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
        tmpfs: { ...(spec.readOnly && { "/tmp": "64 MB" as const }), ...spec.tmpfs },
        configs: createFiles(name, spec.files, platform),
        capabilities: spec.capabilities,
      },
    },
    opts,
  );
  return { running: { [name]: { service, image } }, ready };
}

function createStore(
  name: string,
  args: WorkloadsArgs,
  opts: pulumi.ComponentResourceOptions,
): Pick<Store, "running" | "ready"> {
  const { config, networks, secrets, platform } = args;
  const spec = config.system.data[name];
  if (!spec) throw new Error(`no store "${name}"`);
  if (spec.kind === "managed") {
    const url = secrets.value(spec.urlSecret);
    return {
      running: {},
      ready: new Managed(name, { spec, url, release: pinsOf(config), manager: args.manager }, opts).ready,
    };
  }
  const store = {
    spec,
    platform,
    secrets,
    physicalName: (thing: string) => physicalName(config.system.name, thing),
    image: (key: string) => pin(config, key),
    attachments: (alias: string) => attachments(alias, spec.networks, networks),
  };
  return new Store(name, store, opts);
}

/** Short for everything that is pinned. */
function pinsOf({ images }: Config): string {
  const refs = Object.entries(images).map(([key, { ref }]) => `${key} ${ref}`);
  return createHash("sha256").update(refs.toSorted().join("\n")).digest("hex").slice(0, 16);
}

function createJob(name: string, spec: JobService, args: WorkloadsArgs, opts: pulumi.ComponentResourceOptions): Job {
  return new Job(name, { manager: args.manager, script: endingScript(name, spec, args) }, opts);
}

function createSchedule(
  name: string,
  spec: ScheduleService,
  args: WorkloadsArgs,
  opts: pulumi.ComponentResourceOptions,
): Schedule {
  const { cron, timeZone } = spec;
  return new Schedule(name, { managers: args.manager, cron, timeZone, script: endingScript(name, spec, args) }, opts);
}

function endingScript(name: string, spec: EndingService, args: WorkloadsArgs): JobArgs["script"] {
  const { config, secrets, networks } = args;
  return {
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
  };
}

function createVolumes({ config, platform }: WorkloadsArgs): void {
  const names = new Set(
    Object.values(config.system.services).flatMap((service) => (isEnding(service) ? [] : Object.keys(service.volumes))),
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
  const url = `http://127.0.0.1:${health.port ?? port ?? 80}${health.path ?? "/"}`;
  return ["CMD-SHELL", `wget -q -O /dev/null ${quote(url)}`];
}
