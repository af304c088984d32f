import type { Firewall } from "../config/firewall.ts";
import { managersOf, type Host as HostConfig } from "../config/host.ts";
import type { Acme, Cloudflare, DockerEngine, Registry } from "../config/stack.ts";
import { access } from "./access.render.ts";
import { renderAutolock } from "./autolock.render.ts";
import { renderEngine, type EngineArgs } from "./engine.render.ts";
import { firewall } from "./firewall.render.ts";
import { renderOnHost, type GuardedArgs } from "./guarded.render.ts";
import { renderSystem, systemScripts, type SystemArgs } from "./system.render.ts";

export interface HostConcernsArgs {
  readonly stack: string;
  readonly host: HostConfig;
  /** All hosts of the stack. */
  readonly hosts: readonly HostConfig[];
  readonly registry: Registry;
  readonly docker: DockerEngine;
  readonly firewall: Firewall;
  /** Some certificate is got by a record in the Cloudflare zone. */
  readonly dnsChallenges: boolean;
  /** Networks of the proxy in front of the edge, as far as berth knows. */
  readonly proxyRanges: readonly string[];
  /** Managers wait for somebody to unlock them after a restart. */
  readonly autolock: boolean;
  /** Cloudflare's API, which knows them better; `undefined` where visitors do not come through Cloudflare. */
  readonly rangesApi: string | undefined;
}

/** What a host is made of, in the order in which it is applied. */
export interface HostConcerns {
  readonly access: GuardedArgs;
  readonly engine: string;
  readonly system: string;
  readonly firewall: GuardedArgs;
}

export function hostConcerns(args: HostConcernsArgs): HostConcerns {
  const { stack, host } = args;
  return {
    access: access({ stack, host }),
    engine: renderEngine({ ...engineArgs(args), change: args.hosts.length > 1 ? "later" : "idle" }),
    system: renderSystem(systemArgs(args)),
    firewall: firewall(args),
  };
}

/** Brings a drained host to the version of Docker that the stack file names. */
export function renderVersion(args: HostConcernsArgs): string {
  return renderEngine({ ...engineArgs(args), change: "drained" });
}

function engineArgs({ host, registry, docker, dnsChallenges }: HostConcernsArgs): EngineArgs {
  return { host, edge: host.labels["edge"] === "true", dnsChallenges, registry, docker };
}

/** Where a stack's hosts ask for the networks of Cloudflare, if visitors come through it. */
export function rangesApiOf({
  cloudflare,
  acme,
}: {
  readonly cloudflare: Pick<Cloudflare, "proxied"> | "none";
  readonly acme: Pick<Acme, "cloudflareApi">;
}): string | undefined {
  return cloudflare !== "none" && cloudflare.proxied ? acme.cloudflareApi : undefined;
}

function systemArgs({ host, hosts, docker, firewall, autolock, proxyRanges, rangesApi }: HostConcernsArgs): SystemArgs {
  return {
    host,
    updateMinutes: updateMinutes(host, hosts),
    // One locked manager after another, by the morning the swarm would have lost them all.
    restarts: !(autolock && host.role === "manager"),
    trusted: trusted(hosts, firewall),
    pidsLimit: docker.pidsLimit,
    proxy: { api: host.labels["edge"] === "true" ? rangesApi : undefined, proxyRanges },
  };
}

/** Ends what a check printed; without it the connection was cut, and what is missing is not known to be right. */
export const checkEnd = "checked";

/**
 * One script that looks at everything berth manages on a host, by the very scripts that apply it, and changes nothing.
 * To be run by root's shell with the argument `check`. Prints `concern NAME`, lines `differs: …`, `end STATUS`.
 *
 * @param further Scripts of what others than the fleet set up on the host, by concern
 */
export function renderCheck(args: HostConcernsArgs, further: Readonly<Record<string, string>> = {}): string {
  const { host, autolock } = args;
  const { access, engine, firewall } = hostConcerns(args);
  const system = systemScripts(systemArgs(args));
  const scripts = {
    access: renderOnHost(access),
    engine,
    ...system,
    firewall: renderOnHost(firewall),
    ...(host.role === "manager" && { autolock: renderAutolock({ host: host.name, autolock }) }),
    ...further,
  };
  const parts = Object.entries(scripts).map(
    ([concern, script]) => `echo 'concern ${concern}'\n(\n${script}) 2>&1\necho "end $?"\n`,
  );
  return `${parts.join("")}echo ${checkEnd}\n`;
}

/** An hour for each manager, so that no two are down at once; the others follow every half hour. */
function updateMinutes(host: HostConfig, hosts: readonly HostConfig[]): number {
  const managers = managersOf(hosts);
  if (host.role === "manager") return 60 * managers.indexOf(host);
  return 60 * managers.length + 30 * hosts.filter(({ role }) => role === "worker").indexOf(host);
}

/** Whom no number of failed logins shuts out. */
function trusted(hosts: readonly HostConfig[], { ssh }: Firewall): string[] {
  return [
    ...hosts.flatMap(({ privateAddress }) => (privateAddress === undefined ? [] : [privateAddress])),
    ...ssh.filter((network) => !network.endsWith("/0")),
  ].toSorted();
}
