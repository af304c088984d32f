import type { Maintenance } from "./edge.ts";
import type { Finding, Path } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { list, show } from "./refusals.ts";
import type { Stack } from "./stack.ts";
import { isEnding, type Service } from "./service.ts";
import type { Store } from "./store.ts";
import type { SystemParts } from "./system-rules.ts";
import type { System } from "./system.ts";

/** The system as this stack runs it: its sizes and limits, its domain, without secrets that were left unset. */
export function resolveSystem(system: System, stack: Stack, unset: readonly string[]): System {
  const services = mapValues(system.services, (service, name) => resizeService(service, stack.services[name], unset));
  const data = mapValues(system.data, (store, name) => resizeStore(store, stack.services[name]));
  const limits = mapValues(system.edge.limits, (limit, name) => ({ ...limit, ...stack.limits[name] }));
  const secrets = Object.fromEntries(Object.entries(system.secrets).filter(([name]) => !unset.includes(name)));
  const domain = (text: string): string => text.replaceAll("${domain}", stack.domain);
  return {
    ...system,
    services: mapValues(services, (service) => ({
      ...service,
      env: mapValues(service.env, domain),
      ...("files" in service && { files: mapValues(service.files, domain) }),
    })),
    data,
    secrets,
    edge: {
      ...system.edge,
      limits,
      sites: system.edge.sites.map((site) => ({
        ...site,
        host: domain(site.host),
        headers: mapValues(site.headers, domain),
        security: { ...site.security, csp: mapValues(site.security.csp, (sources) => sources.map(domain)) },
        ...(site.cors && { cors: { ...site.cors, origins: site.cors.origins.map(domain) } }),
        redirects: site.redirects.map((redirect) => ({ ...redirect, to: domain(redirect.to) })),
        routes: site.routes.map((route) => ({
          ...route,
          ...maintained(stack.maintenance, domain(site.host), route.path, domain),
        })),
      })),
    },
  };
}

const segments = (path: string): string => `${path.replace(/\/+$/, "")}/`;

/** What the stack says of a route: the entry of its host whose path is nearest above it. */
function maintained(
  entries: Stack["maintenance"],
  host: string,
  path: string,
  domain: (text: string) => string,
): { maintenance?: Maintenance } {
  const [entry] = entries
    .filter((one) => domain(one.host) === host && segments(path).startsWith(segments(one.path)))
    .toSorted((a, b) => segments(b.path).length - segments(a.path).length);
  return entry ? { maintenance: { retryAfter: entry.retryAfter, message: entry.message } } : {};
}

/** Maintenance of what there is not would leave visitors where they are. */
export function maintenanceRules(
  entries: Parts<Stack["maintenance"]>,
  sites: NonNullable<SystemParts["edge"]>["sites"] = [],
  domain: string,
): Finding[] {
  const full = (text: string): string => text.replaceAll("${domain}", domain);
  return entries.flatMap(({ host, path }, index) => {
    if (host === undefined || path === undefined) return [];
    const site = sites.find((one) => one.host !== undefined && full(one.host) === full(host));
    if (!site) {
      const cure = `use ${list(
        sites.flatMap((one) => one.host ?? []),
        "or",
      )}`;
      return [
        { path: ["maintenance", index, "host"], message: `is no host of the system, got ${show(host)}; ${cure}` },
      ];
    }
    const paths = (site.routes ?? []).flatMap((route) => route.path ?? []);
    if (segments(path) === "/" || paths.some((one) => segments(one) === segments(path))) return [];
    const cure = `use ${list([...new Set(["/", ...paths])], "or")}`;
    return [
      { path: ["maintenance", index, "path"], message: `is no route of ${full(host)}, got ${show(path)}; ${cure}` },
    ];
  });
}

function resizeService(
  service: Service,
  override: Stack["services"][string] | undefined,
  unset: readonly string[],
): Service {
  const keep = (names: readonly string[]): string[] => names.filter((name) => !unset.includes(name));
  const resized = {
    ...service,
    env: { ...service.env, ...override?.env },
    resources: { ...service.resources, ...override?.resources },
    secrets: keep(service.secrets),
  };
  if (isEnding(resized)) return resized;
  return {
    ...resized,
    secretsAsEnv: keep(resized.secretsAsEnv),
    replicas: override?.replicas ?? resized.replicas,
  };
}

function resizeStore(store: Store, override: Stack["services"][string] | undefined): Store {
  if (store.kind === "managed") return { ...store, maxConnections: override?.maxConnections ?? store.maxConnections };
  const sized = { ...store, resources: { ...store.resources, ...override?.resources } };
  switch (sized.kind) {
    case "postgres":
      return { ...sized, maxConnections: override?.maxConnections ?? sized.maxConnections };
    case "redis":
      return {
        ...sized,
        maxmemory: override?.maxmemory ?? sized.maxmemory,
        maxclients: override?.maxclients ?? sized.maxclients,
      };
    default:
      return sized;
  }
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T, key: string) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value, key)]));
}

const hostName = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Rules that only hold once `${domain}` stands for something. */
export function siteRules(sites: readonly { readonly host?: string }[], domain: string): Finding[] {
  const hosts = sites.map((site) => site.host?.replaceAll("${domain}", domain));
  return hosts.flatMap((host, index) => {
    const path: Path = ["edge", "sites", index, "host"];
    if (host === undefined) return [];
    if (!hostName.test(host)) {
      return [
        { path, message: `is not a host name, got ${show(host)}; write a full name, for example api.\${domain}` },
      ];
    }
    if (hosts.indexOf(host) === index) return [];
    return [{ path, message: `is the host of another site, got ${show(host)}; put its routes into one site` }];
  });
}
