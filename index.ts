import * as pulumi from "@pulumi/pulumi";
import { cloudflareRanges } from "./components/cloudflare/ranges.ts";
import { FurtherRecords } from "./components/cloudflare/further-records.ts";
import { OriginPulls } from "./components/cloudflare/origin-pulls.ts";
import { signByOriginCa } from "./components/cloudflare/origin-certificate.ts";
import { LoadBalancing } from "./components/cloudflare/load-balancing.ts";
import { Purge } from "./components/cloudflare/purge.ts";
import { ZoneRecords } from "./components/cloudflare/zone-records.ts";
import { ZoneRules } from "./components/cloudflare/zone-rules.ts";
import { load } from "./components/config/load.ts";
import { Edge, type EdgeArgs } from "./components/edge/edge.ts";
import { Fleet } from "./components/fleet/fleet.ts";
import { preflight } from "./components/fleet/preflight.ts";
import { writeSshFiles } from "./components/fleet/ssh.ts";
import { Networks } from "./components/network/networks.ts";
import { releaseContent } from "./components/release/content.ts";
import { Release } from "./components/release/release.ts";
import { Secrets } from "./components/secrets/secrets.ts";
import { convergeThrough } from "./components/service/convergence.ts";
import { Rollouts } from "./components/service/rollouts.ts";
import type { Platform } from "./components/service/service.ts";
import { allReady } from "./components/shared/ready.ts";
import { createWorkloads } from "./components/workloads/workloads.ts";

const config = await load();
writeSshFiles(config);
await preflight(config, { preview: pulumi.runtime.isDryRun() });

const fleet = new Fleet("fleet", { config, proxyRanges: cloudflareRanges });
const onSwarm = { dependsOn: fleet.ready };
const networks = new Networks("networks", { config, provider: fleet.provider }, onSwarm);
const secrets = new Secrets("secrets", { config, provider: fleet.provider }, onSwarm);

const platform: Platform = {
  provider: fleet.provider,
  volume: (name) => fleet.volume(name),
  rollouts: pulumi.runtime.isDryRun() ? undefined : new Rollouts(convergeThrough(() => fleet.docker())),
  slackMs: config.convergenceSlackMs,
  protect: config.environment !== "local",
};
const workloads = createWorkloads({ config, networks, secrets, platform, manager: fleet }, onSwarm);

const records: EdgeArgs["records"] = (host, dependsOn) =>
  fleet.isVisited(host) ? new ZoneRecords(`dns-${host.name}`, { config, host }, { dependsOn }).all : [];
const { presented } = new OriginPulls("origin-pulls", { config });
const edge = new Edge(
  "edge",
  { config, fleet, networks, upstreamsReady: workloads.ready, records, presented, sign: signByOriginCa },
  onSwarm,
);

new FurtherRecords("records", { config });
const zone = new ZoneRules("zone", { config }, { dependsOn: edge.ready });
const visited = fleet.edgeHosts.filter((host) => fleet.isVisited(host));
const balancer = new LoadBalancing("balancer", { config, hosts: visited }, { dependsOn: edge.ready });
const purge = new Purge("purge", { config }, { dependsOn: allReady([workloads.ready, edge.ready, zone.ready]) });

const live = new Release("release", {
  content: releaseContent(config),
  verified: [workloads.ready, edge.ready, zone.ready, balancer.ready, purge.ready],
});

export const url = edge.url;
export const release = live.number;
// No secret, but as one it is a single line where Pulumi prints the outputs after every update.
export const releases = pulumi.secret(live.history);
export const hosts = config.hosts.map(({ name, address, port }) => ({ name, address, port }));
export const services = workloads.running;
export const schedules = workloads.schedules;
export const sites = config.system.edge.sites.map(({ host }) => host);
