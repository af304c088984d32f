import * as pulumi from "@pulumi/pulumi";
import type * as Docker from "@pulumi/docker";
import type { Config } from "../config/load.ts";
import { physicalName } from "../shared/naming.ts";
import { docker } from "../shared/providers.ts";

export interface NetworksArgs {
  readonly config: Pick<Config, "system" | "encryptNetworks">;
  readonly provider: Docker.Provider;
}

/**
 * The overlay networks of a system, one per tier; a service reaches only what shares a tier with it.
 *
 * Creates: one `docker.Network` per tier. Stateful: no, but a network cannot change while something is attached: a
 * tier that becomes internal, or encryption that is switched, is refused by Docker until its services are gone.
 */
export class Networks extends pulumi.ComponentResource {
  readonly #networks: ReadonlyMap<string, Docker.Network>;

  constructor(name: string, args: NetworksArgs, opts?: pulumi.ComponentResourceOptions) {
    const { config } = args;
    const { name: system, networks } = config.system;
    super("berth:network:Networks", name, { tiers: networks, encrypted: config.encryptNetworks }, opts);

    this.#networks = new Map(
      Object.entries(networks).map(([tier, { internal }]) => [
        tier,
        new docker.Network(
          // Part of the identity, since a change of it would be ignored below.
          config.encryptNetworks ? `${name}-${tier}-encrypted` : `${name}-${tier}`,
          {
            name: physicalName(system, tier),
            driver: "overlay",
            // The edge consists of plain containers, which join only what lets them.
            attachable: true,
            internal,
            ...(config.encryptNetworks && { options: { encrypted: "" } }),
          },
          {
            parent: this,
            provider: args.provider,
            // Docker adds options of its own, which would plan a replacement at every run.
            ...(config.encryptNetworks && { ignoreChanges: ["options"] }),
          },
        ),
      ]),
    );

    this.registerOutputs({});
  }

  /** Services attach by id: with a name, a refresh after a failed update plans their replacement. */
  id(tier: string): pulumi.Output<string> {
    return this.#network(tier).id;
  }

  /** For scripts; an output, so that whoever uses the name waits for the network. */
  name(tier: string): pulumi.Output<string> {
    return this.#network(tier).name;
  }

  #network(tier: string): Docker.Network {
    const network = this.#networks.get(tier);
    if (!network) throw new Error(`no network "${tier}"`);
    return network;
  }
}
