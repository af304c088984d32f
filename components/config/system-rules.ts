import { keysAt, type Finding, type Path } from "./findings.ts";
import type { Parts } from "./lenient.ts";
import { list, show } from "./refusals.ts";
import { securityHeaderNames } from "./security.ts";
import { isEnding, type Service } from "./service.ts";
import { connectable, storeRules } from "./store-rules.ts";
import type { System } from "./system.ts";
import { tlsRules } from "./tls.ts";

/*
 * Rules across the fields of a system. They see what is left when refused parts are taken out, and every name that
 * was declared, refused or not: a mistake in a service is not also reported as a missing service.
 */

export type SystemParts = Parts<System>;
export type ServiceParts = Parts<Service>;

export function systemRules(system: SystemParts, document: unknown): Finding[] {
  const data = keysAt(document, ["data"]);
  const names: Names = {
    services: keysAt(document, ["services"]),
    schedules: services(system).flatMap(([name, { kind }]) => (kind === "schedule" ? [name] : [])),
    data,
    connectable: connectable(system.data, data),
    networks: keysAt(document, ["networks"]),
    secrets: keysAt(document, ["secrets"]),
    limits: keysAt(document, ["edge", "limits"]),
    rated: keysAt(document, ["edge", "limits"]).filter((name) => {
      const given = keysAt(document, ["edge", "limits", name]);
      return given.includes("rate") || given.includes("connections");
    }),
  };
  return [
    ...services(system).flatMap(([name, service]) => serviceRules(["services", name], name, service, names)),
    ...circles(system),
    ...storeRules(system, names),
    ...secretRules(system, names),
    ...routeRules(system, names),
  ];
}

interface Names {
  readonly services: readonly string[];
  readonly schedules: readonly string[];
  readonly data: readonly string[];
  readonly connectable: readonly string[];
  readonly networks: readonly string[];
  readonly secrets: readonly string[];
  readonly limits: readonly string[];
  /** Limits for which the document gives a figure, right or wrong. */
  readonly rated: readonly string[];
}

const services = (system: SystemParts): [string, ServiceParts][] => Object.entries(system.services ?? {});

/** One finding for each name of a list that nothing declares. */
function unknownNames(path: Path, used: readonly string[] = [], known: readonly string[], what: string): Finding[] {
  return used.flatMap((name, index) => unknownName([...path, index], name, known, what));
}

function unknownName(path: Path, name: string | undefined, known: readonly string[], what: string): Finding[] {
  return name === undefined || known.includes(name) ? [] : [{ path, message: notA(what, name, known) }];
}

function notA(what: string, name: string, known: readonly string[]): string {
  const cure = known.length === 0 ? "declare it first" : `use ${list(known, "or")}, or declare it`;
  return `is not ${what} of the system, got ${show(name)}; ${cure}`;
}

function serviceRules(path: Path, name: string, service: ServiceParts, names: Names): Finding[] {
  const clash = "has the name of a store; names within a system resolve to one thing, rename one of them";
  return [
    ...(names.data.includes(name) ? [{ path, message: clash }] : []),
    ...unknownNames([...path, "networks"], service.networks, names.networks, "a network"),
    ...unknownNames([...path, "secrets"], service.secrets, names.secrets, "a secret"),
    ...unknownNames([...path, "secretsAsEnv"], asEnv(service), names.secrets, "a secret"),
    ...Object.keys(service.connections ?? {}).flatMap((store) =>
      unknownName([...path, "connections", store], store, names.connectable, "a store"),
    ),
    ...dependencyRules([...path, "dependsOn"], name, service, names),
    ...variableRules(path, service),
    ...healthRules([...path, "health"], service),
    ...volumeRules([...path, "volumes"], service, names),
    ...mountRules(path, service),
  ];
}

const asEnv = (service: ServiceParts): readonly string[] => (isEnding(service) ? [] : (service.secretsAsEnv ?? []));

function healthRules(path: Path, service: ServiceParts): Finding[] {
  if (isEnding(service) || !service.health) return [];
  const { command, path: probe, port } = service.health;
  if (!command && !probe) {
    return [{ path, message: "asks nothing, got neither `path` nor `command`; give one of them" }];
  }
  const unused = `is asked by no \`path\`, got ${show(port)}; remove it, or give \`path\` instead of \`command\``;
  if (!probe) return port === undefined ? [] : [{ path: [...path, "port"], message: unused }];
  const portless = service.kind === "worker" && port === undefined;
  const wrong = [
    ...(command ? [`is given beside \`command\`, got ${show(probe)}; keep one of the two`] : []),
    ...(portless ? [`needs a port, got ${show(probe)} on a worker; give \`port\` too, or \`command\` instead`] : []),
  ];
  return wrong.map((message) => ({ path: [...path, "path"], message }));
}

function volumeRules(path: Path, service: ServiceParts, names: Names): Finding[] {
  const volumes = isEnding(service) ? [] : Object.keys(service.volumes ?? {});
  const message = "has the name of a store's own volume; rename it, or both write into one directory";
  return volumes.flatMap((volume) => (names.data.includes(volume) ? [{ path: [...path, volume], message }] : []));
}

/** Docker refuses a container in which two things are mounted at one path. */
function mountRules(path: Path, service: ServiceParts): Finding[] {
  if (isEnding(service)) return [];
  const { volumes = {}, tmpfs = {}, files = {}, readOnly = true } = service;
  const mounts = [
    ...(readOnly ? [{ place: ["tmpfs", "/tmp"], target: "/tmp" }] : []),
    ...Object.entries(volumes).map(([volume, target]) => ({ place: ["volumes", volume], target })),
    ...Object.keys(tmpfs).map((target) => ({ place: ["tmpfs", target], target })),
    ...Object.keys(files).map((target) => ({ place: ["files", target], target })),
  ];
  const cure = "keep one volume, tmpfs or file at a path; a read-only service has a tmpfs at /tmp already";
  return mounts.flatMap(({ place, target }, index) => {
    const again = mounts.findIndex((other) => sameDirectory(other.target, target)) < index;
    return again ? [{ path: [...path, ...place], message: `is mounted twice, got ${show(target)}; ${cure}` }] : [];
  });
}

const sameDirectory = (a: string, b: string): boolean => a.replace(/\/+$/, "") === b.replace(/\/+$/, "");

function dependencyRules(path: Path, name: string, service: ServiceParts, names: Names): Finding[] {
  const { schedules } = names;
  const dependable = names.services.filter((other) => !schedules.includes(other));
  const known = [...new Set([...dependable, ...names.data])].filter((other) => other !== name);
  return (service.dependsOn ?? []).flatMap((other, index) => {
    const place = [...path, index];
    if (schedules.includes(other)) {
      const message = `is a schedule, got ${show(other)}; remove it: a schedule runs at its times, whoever waits`;
      return [{ path: place, message }];
    }
    if (other !== name) return unknownName(place, other, known, "a service or store");
    return [{ path: place, message: `is the service itself, got ${show(other)}; remove it` }];
  });
}

/** Variables and secrets of a service share one environment. */
function variableRules(path: Path, { env = {}, secrets = [], ...service }: ServiceParts): Finding[] {
  const plain = asEnv(service);
  const taken = new Set([...plain, ...secrets.map((name) => `${name}_FILE`)]);
  const twice = secrets.flatMap((name, index) => {
    const message = `is in \`secretsAsEnv\` too, got ${show(name)}; keep one of the two`;
    return plain.includes(name) ? [{ path: [...path, "secrets", index], message }] : [];
  });
  const message = "is also set by a secret of the service; remove one of the two";
  const shadowed = Object.keys(env).filter((name) => taken.has(name));
  return [...twice, ...shadowed.map((name) => ({ path: [...path, "env", name], message }))];
}

/** Each circle of `dependsOn`, reported once, at the service whose name comes first. */
function circles(system: SystemParts): Finding[] {
  const edges = new Map(services(system).map(([name, service]) => [name, service.dependsOn ?? []]));
  return [...findCircles(edges)].map((circle) => ({
    path: ["services", circle[0] ?? "", "dependsOn"],
    message: `waits for itself, got ${circle.join(" → ")}; remove one of these dependencies`,
  }));
}

/** Circles of two or more, each starting and ending with its alphabetically first member. */
function* findCircles(edges: ReadonlyMap<string, readonly string[]>): Generator<readonly string[]> {
  for (const start of [...edges.keys()].toSorted()) {
    const queue: string[][] = [[start]];
    const seen = new Set<string>();
    for (let trail = queue.shift(); trail; trail = queue.shift()) {
      const last = trail.at(-1) ?? start;
      if (last === start && trail.length > 2) {
        yield trail;
        break;
      }
      for (const next of edges.get(last) ?? []) {
        if (next < start || seen.has(next) || next === last) continue;
        seen.add(next);
        queue.push([...trail, next]);
      }
    }
  }
}

/** Names of other secrets in a template, in order. */
function references(template: string): string[] {
  return [...template.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1] ?? "");
}

function secretRules(system: SystemParts, names: Names): Finding[] {
  const secrets = system.secrets ?? {};
  const composed = Object.entries(secrets).flatMap(([name, spec]) =>
    spec.kind === "composed" && spec.template !== undefined ? [[name, references(spec.template)] as const] : [],
  );
  const findings = composed.flatMap(([name, used]) => {
    const path = ["secrets", name, "template"];
    if (used.length === 0) return [{ path, message: "names no other secret; write it as ${NAME}" }];
    return used.flatMap((other) => {
      if (other === name) return [{ path, message: `refers to itself, got \${${other}}; name another secret` }];
      const spec = secrets[other];
      if (spec?.kind !== "supplied" || !spec.optional) return unknownName(path, other, names.secrets, "a secret");
      return [{ path, message: `refers to an optional secret, got \${${other}}; make ${other} required` }];
    });
  });
  const loops = [...findCircles(new Map(composed))].map((circle) => ({
    path: ["secrets", circle[0] ?? "", "template"],
    message: `refers to itself, got ${circle.join(" → ")}; remove one of these references`,
  }));
  return [...findings, ...loops];
}

function routeRules(system: SystemParts, names: Names): Finding[] {
  const { network, limits = {}, sites = [], tls, certificates = {} } = system.edge ?? {};
  return [
    ...unknownName(["edge", "network"], network, names.networks, "a network"),
    ...Object.entries(limits).flatMap(([name, { rate, connections }]) => {
      const message = "limits nothing, got neither `rate` nor `connections`; give one of them";
      // A refused rate is taken out, and reported already.
      return (rate ?? connections ?? names.rated.includes(name)) ? [] : [{ path: ["edge", "limits", name], message }];
    }),
    ...tlsRules(tls, certificates),
    ...sites.flatMap((site, s) => siteRoutes(["edge", "sites", s], site, system, names)),
  ];
}

type SiteParts = NonNullable<NonNullable<SystemParts["edge"]>["sites"]>[number];

function siteRoutes(path: Path, site: SiteParts, system: SystemParts, names: Names): Finding[] {
  const { routes = [], redirects = [] } = site;
  // As nginx is told: `/api` and `/api/` are one prefix.
  const prefixes = [...routes, ...redirects].map((entry) => entry.path?.replace(/\/+$/, ""));
  const twice = (place: Path, at: number, given: string | undefined): Finding[] => {
    const message = `is routed twice on this host, got ${show(given)}; keep one of the routes`;
    return prefixes[at] !== undefined && prefixes.indexOf(prefixes[at]) < at ? [{ path: place, message }] : [];
  };
  return [
    ...(prefixes.length === 0 ? [{ path, message: "serves nothing, got no routes and no redirects; add one" }] : []),
    ...headerRules(path, site),
    ...cspRules([...path, "security", "csp"], site.security?.csp ?? {}),
    ...redirects.flatMap((redirect, r) => twice([...path, "redirects", r, "path"], routes.length + r, redirect.path)),
    ...routes.flatMap((route, r) => [
      ...twice([...path, "routes", r, "path"], r, route.path),
      ...unknownName([...path, "routes", r, "limit"], route.limit, names.limits, "a limit"),
      ...targetRules([...path, "routes", r, "service"], route.service, system.edge?.network, system, names),
    ]),
  ];
}

/** One place says what is sent: else an answer would have a header twice, or not the one that was meant. */
function headerRules(path: Path, { headers = {}, cors }: SiteParts): Finding[] {
  return Object.keys(headers).flatMap((name) => {
    const part = securityHeaderNames[name.toLowerCase()];
    const place = [...path, "headers", name];
    if (part !== undefined) return [{ path: place, message: `is set by \`security.${part}\`; say it there` }];
    if (!cors || !/^access-control-/i.test(name)) return [];
    return [{ path: place, message: "is set by `cors`; say it there" }];
  });
}

function cspRules(path: Path, csp: Readonly<Record<string, readonly string[]>>): Finding[] {
  return Object.entries(csp).flatMap(([directive, sources]) => {
    const message = "allows nothing and something, got 'none' beside others; keep one of the two";
    return sources.length > 1 && sources.includes("'none'") ? [{ path: [...path, directive], message }] : [];
  });
}

function targetRules(
  path: Path,
  target: string | undefined,
  tier: string | undefined,
  system: SystemParts,
  names: Names,
): Finding[] {
  const web = services(system).flatMap(([name, service]) => (service.kind === "web" ? [name] : []));
  const service = target === undefined ? undefined : system.services?.[target];
  if (target === undefined || !service) {
    const unknown = target !== undefined && !names.services.includes(target);
    return unknown ? [{ path, message: notA("a service", target, web) }] : [];
  }
  if (service.kind !== "web") {
    const cure = `use ${list(web, "or") || "a web service"}`;
    return [{ path, message: `does not answer HTTP, got ${show(target)} (${service.kind}); ${cure}` }];
  }
  if (tier === undefined || !service.networks || service.networks.includes(tier)) return [];
  const cure = `add ${show(tier)} to services.${target}.networks`;
  return [{ path, message: `is out of the edge's reach, got ${show(target)}; ${cure}` }];
}
