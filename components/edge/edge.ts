import * as pulumi from "@pulumi/pulumi";
import { originPullCa } from "../cloudflare/origin-pull-ca.ts";
import { cloudflareRanges } from "../cloudflare/ranges.ts";
import type { Config } from "../config/load.ts";
import type { Host } from "../config/host.ts";
import type { System } from "../config/system.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { Networks } from "../network/networks.ts";
import type { Duration } from "../shared/duration.ts";
import { physicalName } from "../shared/naming.ts";
import { command } from "../shared/providers.ts";
import type { Ready } from "../shared/ready.ts";
import { createCertificate, type SignRequest } from "./certificates.ts";
import { hostProgram, leaveCommand, removeCommand, renderFiles, runtimeCommand, siteCommand } from "./edge.render.ts";
import { renderNginx } from "./nginx.render.ts";
import { clientCaPath, renderSites, type SitesInput } from "./site.render.ts";

export interface EdgeArgs {
  readonly config: Config;
  readonly fleet: Pick<Fleet, "edgeHosts" | "connection" | "farewell">;
  readonly networks: Pick<Networks, "id" | "name">;
  /**
   * What the routes lead to. A changed route goes live after it, so that it never leads to what is not there yet.
   *
   * @default - routes do not wait; a service that is not there yet is answered 502
   */
  readonly upstreamsReady?: Ready;
  /**
   * Makes the records that lead visitors, and the certificate authority, to a host, once `after` is there. None for a
   * host that visitors are not to be sent to.
   *
   * @default - the names lead to the edge already
   */
  readonly records?: (host: Host, after: pulumi.Resource[]) => pulumi.Resource[];
  /**
   * What makes Cloudflare show a client certificate. A site that demands it goes live after that.
   *
   * @default - nothing; what shows it is there already, or none is demanded
   */
  readonly presented?: pulumi.Resource[];
  /** Has requests for certificates signed by Cloudflare's Origin CA. */
  readonly sign: SignRequest;
  /**
   * What the age of certificates of the Origin CA is counted from.
   *
   * @default - the time of the run
   */
  readonly now?: Date;
}

/**
 * How long a WebSocket or a long request outlives a reload or an upgrade of nginx. It costs the memory of the workers
 * that wait for it; an hour is also what a WebSocket may be silent.
 */
const drain: Duration = "1 hour";

/**
 * nginx in front of a system's services, with TLS, on every host labelled `edge: "true"`.
 *
 * @example
 * new Edge("edge", { config, fleet, networks, sign: signByOriginCa });
 *
 * Creates, per edge host, one host after another: the runtime (ports, network, nginx of the pinned image) and the sites;
 * then the certificates; each a `command.remote.Command` that runs the host's `edge` program (host.sh), but for the
 * signature of the Origin CA, which `sign` makes between two of them. One more command per host takes the sites away
 * when they, or the host, leave the stack. A host has one edge, which other systems' stacks may share: each owns the
 * file of its sites. The nginx that runs is of the image that was set last.
 * Stateful: certificates stay on the host, under /etc/letsencrypt, also after a destroy.
 */
export class Edge extends pulumi.ComponentResource {
  /** Passed when every edge host serves the sites with their certificate. */
  readonly ready: Ready;
  /** The first site. */
  readonly url: string;

  readonly #name: string;
  readonly #args: EdgeArgs;

  constructor(name: string, args: EdgeArgs, opts?: pulumi.ComponentResourceOptions) {
    const { system } = args.config;
    const image = edgeImage(args.config);
    super("berth:edge:Edge", name, { image, sites: system.edge.sites, limits: system.edge.limits }, opts);
    this.#name = name;
    this.#args = args;
    this.url = `https://${system.edge.sites[0]?.host ?? args.config.domain}`;

    const serving: pulumi.Resource[] = [];
    for (const host of args.fleet.edgeHosts) {
      this.#sayFarewell(`${name}-${host.name}-farewell`, host);
      const runtime = this.#createRuntime(`${name}-${host.name}-runtime`, host, image, serving.slice(-1));
      serving.push(this.#createSites(`${name}-${host.name}-sites`, host, runtime));
    }
    this.ready = pulumi.output(this.#certify(serving));

    this.registerOutputs({ url: this.url });
  }

  /**
   * The names lead to the first host before its certificate, or an authority would not find it; Cloudflare's Origin CA
   * does not look. They lead to each further one after its own, which it gets because the first one passes challenges
   * on: no visitor meets a host that does not serve yet, or serves a placeholder.
   */
  #certify(serving: readonly pulumi.Resource[]): pulumi.Resource[] {
    const { config, fleet } = this.#args;
    const looks = config.certificates.some(({ issuer }) => issuer === "acme");
    const done: pulumi.Resource[] = [];
    for (const [index, host] of fleet.edgeHosts.entries()) {
      const own = serving.slice(index, index + 1);
      const before = looks && index === 0;
      const found = before ? this.#lead(host, own) : [];
      const certificates = this.#createCertificates(host, [...own, ...found, ...done]);
      done.push(...certificates, ...(before ? found : this.#lead(host, certificates)));
    }
    return done;
  }

  #lead(host: Host, after: pulumi.Resource[]): pulumi.Resource[] {
    return this.#args.records?.(host, after) ?? [];
  }

  #createRuntime(name: string, host: Host, image: string, after: pulumi.Resource[]): pulumi.Resource {
    const { networks, config } = this.#args;
    const tier = config.system.edge.network;
    const network = { network: networks.name(tier), networkId: networks.id(tier) };
    const { http3 } = config.firewall;
    const { resources } = config.edge;
    return new command.remote.Command(
      name,
      {
        connection: this.#args.fleet.connection(host),
        create: pulumi.output(network).apply((known) => runtimeCommand(host, { image, ...known, resources, http3 })),
        stdin: hostProgram(),
        addPreviousOutputInEnv: false,
      },
      { parent: this, dependsOn: after },
    );
  }

  /** On its way out, a system leaves the host's edge to the others. */
  #sayFarewell(name: string, host: Host): void {
    const { networks, config, fleet } = this.#args;
    const { system } = config;
    const leave = pulumi
      .output(networks.name(system.edge.network))
      .apply((network) => [removeCommand(host, system.name), leaveCommand(host, network)].join("\n"));
    fleet.farewell(name, host, leave, { parent: this });
  }

  #createSites(name: string, host: Host, runtime: pulumi.Resource): pulumi.Resource {
    const { config, fleet, upstreamsReady, presented = [] } = this.#args;
    const { system } = config;
    const others = fleet.edgeHosts.filter(({ name: other }) => other !== host.name);
    // In an order of their own: that of the hosts changes when one is drained.
    const peers = others
      .flatMap(({ privateAddress }) => (privateAddress === undefined ? [] : [privateAddress]))
      .toSorted();
    const input = sitesOf(config, peers);
    const files = {
      ...renderNginx({ drain, proxyRanges: cloudflareRanges }),
      [`sites/${system.name}.conf`]: renderSites(input),
      ...(input.clientCertificates && { [clientCaPath(system.name)]: input.clientCertificates.ca }),
    };
    return new command.remote.Command(
      name,
      {
        connection: fleet.connection(host),
        create: siteCommand(host, system.name, config.certificates),
        stdin: renderFiles(files),
        addPreviousOutputInEnv: false,
      },
      {
        parent: this,
        dependsOn: pulumi.all([[runtime], presented, upstreamsReady ?? []]).apply((parts) => parts.flat()),
      },
    );
  }

  /** One after another: certbot does one thing at a time. */
  #createCertificates(host: Host, after: pulumi.Resource[]): pulumi.Resource[] {
    const { config, fleet, sign, now = new Date() } = this.#args;
    const made: pulumi.Resource[] = [];
    for (const certificate of config.certificates) {
      const name = `${this.#name}-${host.name}-certificate-${certificate.name}`;
      const opts = { parent: this, dependsOn: [...after, ...made] };
      made.push(createCertificate(name, host, certificate, { config, fleet, sign, now }, opts));
    }
    return made;
  }
}

function edgeImage(config: Config): string {
  const image = config.images[config.system.edge.image];
  if (!image) throw new Error(`no image "${config.system.edge.image}"`);
  return image.ref;
}

function sitesOf(config: Config, peers: readonly string[]): SitesInput {
  const { operators } = config;
  const { name, edge, services } = config.system;
  const proxied = config.cloudflare !== "none" && config.cloudflare.proxied;
  return {
    system: name,
    sites: edge.sites,
    limits: edge.limits,
    certificates: config.certificates,
    upstreams: upstreams(name, services),
    peers,
    tls: edge.tls,
    http3: config.firewall.http3,
    proxied,
    operators,
    ...clientCertificatesOf(config),
  };
}

function clientCertificatesOf({ cloudflare, domain, system }: Config): Pick<SitesInput, "clientCertificates"> {
  const pulls = cloudflare === "none" ? undefined : cloudflare.originPulls;
  if (pulls === undefined) return {};
  const sites = pulls.sites?.map((site) => site.replaceAll("${domain}", domain));
  return {
    clientCertificates: {
      demanded: pulls.stage === "demanded",
      sites: sites ?? system.edge.sites.map(({ host }) => host),
      ca: `${(pulls.ca ?? originPullCa()).trim()}\n`,
    },
  };
}

function upstreams(system: string, services: System["services"]): SitesInput["upstreams"] {
  return Object.fromEntries(
    Object.entries(services).flatMap(([name, service]) =>
      service.kind === "web"
        ? [[name, { name: physicalName(system, name), port: service.port, balance: service.balance }] as const]
        : [],
    ),
  );
}
