import * as pulumi from "@pulumi/pulumi";
import type * as Docker from "@pulumi/docker";
import { docker } from "../shared/providers.ts";
import { converged } from "./convergence.ts";
import type { Rollouts } from "./rollouts.ts";
import type { Ready } from "../shared/ready.ts";
import { serviceArgs, specLabel, type Workload } from "./workload.ts";

/** What every workload of a stack shares. */
export interface Platform {
  readonly provider: Docker.Provider;
  /** Where a volume is: Docker of its host, and what keeps tasks there. */
  readonly volume: (name: string) => { readonly provider: Docker.Provider; readonly constraint: string };
  /** Follows rollouts to their end; missing in previews, which touch no host. */
  readonly rollouts: Rollouts | undefined;
  /** Milliseconds allowed on top of the health budget. */
  readonly slackMs: number;
  /** Refuse replacements and removals that would interrupt or lose something: on outside the local environment. */
  readonly protect: boolean;
}

export interface ServiceArgs {
  readonly workload: Workload;
  readonly platform: Platform;
}

/**
 * A long-running workload on the swarm that counts as there only when the pinned image runs.
 *
 * Creates: one `docker.Service`. Stateful: no.
 *
 * @see https://docs.docker.com/engine/swarm/services/
 */
export class Service extends pulumi.ComponentResource {
  /** Physical name, as `docker service ls` shows it. */
  readonly service: string;
  readonly image: string;
  /** What dependants wait for. */
  readonly ready: Ready;

  constructor(name: string, args: ServiceArgs, opts?: pulumi.ComponentResourceOptions) {
    const { workload, platform } = args;
    super("berth:service:Service", name, { image: workload.image, replicas: workload.replicas }, opts);
    this.service = workload.name;
    this.image = workload.image;

    const asked = serviceArgs(workload);
    const service = new docker.Service(`${name}-service`, asked, {
      parent: this,
      provider: platform.provider,
      protect: platform.protect,
      // Docker writes down for which processors an image is, which would read as a change for ever.
      ...(workload.constraints.length > 0 && { ignoreChanges: ["taskSpec.placement.platforms"] }),
    });
    this.ready = converged(service, workload, specOf(asked), platform.rollouts, platform.slackMs);

    this.registerOutputs({ service: this.service, image: this.image });
  }
}

function specOf(args: Docker.ServiceArgs): pulumi.Output<string> {
  return pulumi.output(args.labels).apply((labels) => labels?.find(({ label }) => label === specLabel)?.value ?? "");
}
