import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import type * as Docker from "@pulumi/docker";
import type { Resources } from "../config/resources.ts";
import type { Rollout } from "../config/service.ts";
import { dockerDuration, milliseconds, type Duration } from "../shared/duration.ts";
import { bytes, type Size } from "../shared/size.ts";
import { renderHealthCheck, untilHealthyMs, type Check } from "./health.render.ts";

/** A secret as a file below /run/secrets. */
export interface SecretFile {
  readonly name: string;
  readonly secretId: pulumi.Input<string>;
  readonly secretName: pulumi.Input<string>;
  /** @default 0o444 */
  readonly mode?: number;
}

/** A configuration file at its path in the container. */
export interface ConfigFile {
  readonly path: string;
  readonly configId: pulumi.Input<string>;
  readonly configName: pulumi.Input<string>;
}

export interface Attachment {
  readonly networkId: pulumi.Input<string>;
  /** Short name under which others on this network reach the service. */
  readonly alias: string;
}

/** Everything a long-running Swarm service of berth is made of: applications and stores alike. */
export interface Workload {
  /** Physical name of the service. */
  readonly name: string;
  /** Pinned image reference. */
  readonly image: string;
  /** Replaces the image's entrypoint. @default - the image's own */
  readonly entrypoint?: readonly string[];
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, pulumi.Input<string>>>;
  readonly secretFiles: readonly SecretFile[];
  /** Files with secrets in them, which no variable names. @default - none */
  readonly files?: readonly SecretFile[];
  readonly attachments: readonly Attachment[];
  readonly resources: Resources;
  readonly replicas: number;
  readonly health: Check;
  readonly rollout: Rollout;
  readonly stopGracePeriod: Duration;
  /** @default - the image's own, SIGTERM when it names none */
  readonly stopSignal?: string;
  /** Numeric user and group. @default - the image's own */
  readonly user?: string;
  readonly readOnly: boolean;
  /** Paths by volume name. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Which hosts it may run on, in Swarm's own words; all of them when there are none. */
  readonly constraints: readonly string[];
  /** Sizes of in-memory file systems by path. */
  readonly tmpfs: Readonly<Record<string, Size>>;
  /** Configuration files. @default - none */
  readonly configs?: readonly ConfigFile[];
  /** Linux capabilities that are kept, without their `CAP_`. @default - none */
  readonly capabilities?: readonly string[];
}

/** Label by which a rollout is recognised: Swarm's own rollback puts the previous value back. */
export const specLabel = "berth.spec";

/**
 * The docker provider's arguments for a workload.
 *
 * `dnsrr` because virtual IPs go on sending to tasks that are stopping. Networks by id, because a name shows
 * as a replacement after a failed update. No `convergeConfig`: it takes several seconds more than the swarm itself
 * and calls a half-done rollout done; `Convergence` waits instead. `stopGracePeriod` is always set, since the
 * provider sends nothing as "kill at once".
 */
export function serviceArgs(workload: Workload): Docker.ServiceArgs {
  const { configs = [], capabilities = [] } = workload;
  const args = {
    name: workload.name,
    taskSpec: {
      containerSpec: {
        image: workload.image,
        commands: workload.entrypoint ? [...workload.entrypoint] : undefined,
        args: workload.args ? [...workload.args] : undefined,
        env: {
          ...workload.env,
          ...Object.fromEntries(workload.secretFiles.map(({ name }) => [`${name}_FILE`, `/run/secrets/${name}`])),
        },
        user: workload.user,
        readOnly: workload.readOnly,
        init: true,
        capDrops: ["ALL"],
        ...(capabilities.length > 0 && { capAdds: capabilities.map((name) => `CAP_${name}`) }),
        stopGracePeriod: dockerDuration(workload.stopGracePeriod),
        stopSignal: workload.stopSignal,
        healthcheck: renderHealthCheck(workload.health),
        mounts: [
          ...Object.entries(workload.volumes).map(([source, target]) => ({ target, source, type: "volume" })),
          ...Object.entries(workload.tmpfs).map(([target, size]) => ({
            target,
            type: "tmpfs",
            // Docker's own 1777 reads back without its first digit, as a change for ever.
            tmpfsOptions: { sizeBytes: bytes(size), mode: 0o777 },
          })),
        ],
        secrets: [...workload.secretFiles, ...(workload.files ?? [])].map(({ name, secretId, secretName, mode }) => ({
          secretId,
          secretName,
          fileName: name,
          fileUid: workload.user?.split(":")[0],
          fileGid: workload.user?.split(":")[1],
          fileMode: mode ?? 0o444,
        })),
        ...(configs.length > 0 && {
          configs: configs.map(({ path, configId, configName }) => ({ configId, configName, fileName: path })),
        }),
      },
      resources: resourcesOf(workload.resources),
      restartPolicy: { condition: "any", delay: "1s", window: "0s" },
      ...(workload.constraints.length > 0 && { placement: { constraints: [...workload.constraints] } }),
      networksAdvanceds: workload.attachments.map(({ networkId, alias }) => ({ id: networkId, aliases: [alias] })),
    },
    mode: { replicated: { replicas: workload.replicas } },
    endpointSpec: { mode: "dnsrr" },
    updateConfig: {
      parallelism: workload.rollout.parallelism,
      order: workload.rollout.order,
      monitor: watch(workload.rollout.monitor),
      failureAction: "rollback",
    },
    rollbackConfig: {
      parallelism: 0,
      order: workload.rollout.order,
      // The old tasks were there all along; nothing is learnt from watching them.
      monitor: watch("0 seconds"),
      failureAction: "pause",
    },
  } satisfies Docker.ServiceArgs;
  return { ...args, labels: [{ label: specLabel, value: fingerprint(args) }] };
}

/** How long swarm watches what it started: Docker takes none at all for its own default, five seconds. */
function watch(duration: Duration): string {
  return milliseconds(duration) === 0 ? "1ms" : dockerDuration(duration);
}

/** The provider crashes on an empty block, so a reservation is there only when something is reserved. */
function resourcesOf({ memory, cpus, reserveMemory, reserveCpus }: Resources) {
  const nano = (cores: number) => Math.round(cores * 1e9);
  const reservation = {
    ...(reserveMemory && { memoryBytes: bytes(reserveMemory) }),
    ...(reserveCpus && { nanoCpus: nano(reserveCpus) }),
  };
  return {
    limits: { memoryBytes: bytes(memory), nanoCpus: nano(cpus) },
    ...(Object.keys(reservation).length > 0 && { reservation }),
  };
}

/** A digest of everything asked for, so that a later look at the swarm can tell whether this is what runs. */
function fingerprint(args: object): pulumi.Output<string> {
  return pulumi.output(args).apply((plain) => createHash("sha256").update(JSON.stringify(plain)).digest("hex"));
}

/** The longest time a healthy rollout may take, image pull excluded: what the health check allows, per batch. */
export function healthBudgetMs(workload: Pick<Workload, "health" | "rollout" | "replicas">): number {
  const { parallelism, monitor } = workload.rollout;
  const batches = parallelism === 0 ? 1 : Math.ceil(workload.replicas / parallelism);
  return Math.max(1, batches) * untilHealthyMs(workload.health) + milliseconds(monitor);
}
