import { keysAt, type Finding, type Path } from "./findings.ts";
import { list, show } from "./refusals.ts";
import type { Service, System } from "./system.ts";

/*
 * Rules across the fields of a system. They see what is left when refused parts are taken out, and every name that
 * was declared, refused or not: a mistake in a service is not also reported as a missing service.
 */

export type SystemParts = Partial<System>;

export function systemRules(system: SystemParts, document: unknown): Finding[] {
  const declared = (section: Path): string[] => keysAt(document, section);
  const names: Names = {
    services: declared(["services"]),
    data: declared(["data"]),
    networks: declared(["networks"]),
    secrets: declared(["secrets"]),
    limits: declared(["edge", "limits"]),
  };
  return [
    ...services(system).flatMap(([name, service]) => serviceRules(["services", name], name, service, system, names)),
    ...circles(system),
    ...storeRules(system, names),
    ...secretRules(system, names),
    ...routeRules(system, names),
  ];
}

interface Names {
  readonly services: readonly string[];
  readonly data: readonly string[];
  readonly networks: readonly string[];
  readonly secrets: readonly string[];
  readonly limits: readonly string[];
}

const services = (system: SystemParts): [string, Service][] => Object.entries(system.services ?? {});
const stores = (system: SystemParts) => Object.entries(system.data ?? {});

const asEnv = (service: Service): readonly string[] => (service.kind === "job" ? [] : service.secretsAsEnv);

/** One finding for each name of a list that nothing declares. */
function unknownNames(path: Path, used: readonly string[], known: readonly string[], what: string): Finding[] {
  return used.flatMap((name, index) =>
    known.includes(name) ? [] : [{ path: [...path, index], message: notA(what, name, known) }],
  );
}

function notA(what: string, name: string, known: readonly string[]): string {
  const cure = known.length === 0 ? "declare it first" : `use ${list(known, "or")}, or declare it`;
  return `is not ${what} of the system, got ${show(name)}; ${cure}`;
}

function serviceRules(path: Path, name: string, service: Service, system: SystemParts, names: Names): Finding[] {
  const findings: Finding[] = [
    ...unknownNames([...path, "networks"], service.networks, names.networks, "a network"),
    ...unknownNames([...path, "secrets"], service.secrets, names.secrets, "a secret"),
    ...unknownNames([...path, "secretsAsEnv"], asEnv(service), names.secrets, "a secret"),
    ...Object.keys(service.connections)
      .filter((store) => !names.data.includes(store))
      .map((store) => ({ path: [...path, "connections", store], message: notA("a store", store, names.data) })),
    ...dependencyRules([...path, "dependsOn"], name, service, names),
    ...variableRules(path, service),
  ];
  if (names.data.includes(name)) {
    const message = "has the name of a store; names within a system resolve to one thing, rename one of them";
    findings.push({ path, message });
  }
  if (service.kind === "job") return findings;
  const { command, path: probe } = service.health;
  if (command && probe) {
    const message = `is given beside \`command\`, got ${show(probe)}; keep one of the two`;
    findings.push({ path: [...path, "health", "path"], message });
  }
  if (!command && !probe) {
    const message = "asks nothing, got neither `path` nor `command`; give one of them";
    findings.push({ path: [...path, "health"], message });
  }
  if (service.kind === "worker" && probe) {
    const message = `needs a port, got ${show(probe)} on a worker; give \`command\` instead`;
    findings.push({ path: [...path, "health", "path"], message });
  }
  const storeNames = stores(system).map(([store]) => store);
  for (const volume of Object.keys(service.volumes).filter((v) => storeNames.includes(v))) {
    const message = "has the name of a store's own volume; rename it, or both write into one directory";
    findings.push({ path: [...path, "volumes", volume], message });
  }
  return findings;
}

function dependencyRules(path: Path, name: string, service: Service, names: Names): Finding[] {
  const known = [...names.services, ...names.data].filter((other) => other !== name);
  return service.dependsOn.flatMap((other, index) => {
    if (other === name)
      return [{ path: [...path, index], message: `is the service itself, got ${show(other)}; remove it` }];
    if (known.includes(other)) return [];
    return [{ path: [...path, index], message: notA("a service or store", other, known) }];
  });
}

/** Variables and secrets of a service share one environment. */
function variableRules(path: Path, service: Service): Finding[] {
  const plain = new Set(asEnv(service));
  const taken = new Set([...plain, ...service.secrets.map((name) => `${name}_FILE`)]);
  const twice = service.secrets.flatMap((name, index) =>
    plain.has(name)
      ? [
          {
            path: [...path, "secrets", index],
            message: `is in \`secretsAsEnv\` too, got ${show(name)}; keep one of the two`,
          },
        ]
      : [],
  );
  const shadowed = Object.keys(service.env).flatMap((name) =>
    taken.has(name)
      ? [{ path: [...path, "env", name], message: "is also set by a secret of the service; remove one of the two" }]
      : [],
  );
  return [...twice, ...shadowed];
}

/** Each circle of `dependsOn`, reported once, at the service whose name comes first. */
function circles(system: SystemParts): Finding[] {
  const edges = new Map(services(system).map(([name, service]) => [name, service.dependsOn]));
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

function storeRules(system: SystemParts, names: Names): Finding[] {
  return stores(system).flatMap(([name, store]) => [
    ...unknownNames(["data", name, "networks"], store.networks, names.networks, "a network"),
    ...passwordRules(["data", name, "passwordSecret"], store.passwordSecret, system, names),
  ]);
}

function passwordRules(path: Path, secret: string, system: SystemParts, names: Names): Finding[] {
  if (!names.secrets.includes(secret)) return [{ path, message: notA("a secret", secret, names.secrets) }];
  const kind = system.secrets?.[secret]?.kind;
  if (kind === undefined || kind === "generated") return [];
  return [{ path, message: `is not a generated secret, got ${show(secret)} (${kind}); declare one of kind generated` }];
}

/** Names of other secrets in a template, in order. */
export function references(template: string): string[] {
  return [...template.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1] ?? "");
}

function secretRules(system: SystemParts, names: Names): Finding[] {
  const secrets = system.secrets ?? {};
  const composed = Object.entries(secrets).flatMap(([name, spec]) =>
    spec.kind === "composed" ? [[name, references(spec.template)] as const] : [],
  );
  const findings = composed.flatMap(([name, used]) => {
    const path = ["secrets", name, "template"];
    if (used.length === 0) return [{ path, message: "names no other secret; write it as ${NAME}" }];
    return used.flatMap((other) => {
      if (other === name) return [{ path, message: `refers to itself, got \${${other}}; name another secret` }];
      if (!names.secrets.includes(other)) return [{ path, message: notA("a secret", other, names.secrets) }];
      const spec = secrets[other];
      if (spec?.kind !== "supplied" || !spec.optional) return [];
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
  const edge = system.edge;
  if (!edge) return [];
  const findings: Finding[] = [];
  if (!names.networks.includes(edge.network)) {
    findings.push({ path: ["edge", "network"], message: notA("a network", edge.network, names.networks) });
  }
  edge.sites.forEach((site, s) => {
    const paths = new Set<string>();
    site.routes.forEach((route, r) => {
      const path = ["edge", "sites", s, "routes", r];
      // As nginx is told: `/api` and `/api/` are one prefix.
      const prefix = route.path.replace(/\/+$/, "");
      if (paths.has(prefix)) {
        const message = `is routed twice on this host, got ${show(route.path)}; keep one of the routes`;
        findings.push({ path: [...path, "path"], message });
      }
      paths.add(prefix);
      if (route.limit !== undefined && !names.limits.includes(route.limit)) {
        findings.push({ path: [...path, "limit"], message: notA("a limit", route.limit, names.limits) });
      }
      findings.push(...targetRules([...path, "service"], route.service, edge.network, system, names));
    });
  });
  return findings;
}

function targetRules(path: Path, target: string, tier: string, system: SystemParts, names: Names): Finding[] {
  const web = services(system).filter(([, service]) => service.kind === "web");
  const webNames = web.map(([name]) => name);
  if (!names.services.includes(target)) return [{ path, message: notA("a service", target, webNames) }];
  const service = system.services?.[target];
  if (!service) return [];
  if (service.kind !== "web") {
    const message = `does not answer HTTP, got ${show(target)} (${service.kind}); use ${list(webNames, "or") || "a web service"}`;
    return [{ path, message }];
  }
  if (service.networks.includes(tier)) return [];
  const message = `is out of the edge's reach, got ${show(target)}; add ${show(tier)} to services.${target}.networks`;
  return [{ path, message }];
}
