import type { Site } from "./edge.ts";
import type { Service } from "./service.ts";
import type { Store } from "./store.ts";
import type { System } from "./system.ts";

/* A system as a picture, for its README: Mermaid, which GitHub and most editors draw. */

/** Where the picture stands in a README. */
export const pictureStart = "<!-- picture: npm run docs -->";
export const pictureEnd = "<!-- /picture -->";

export function renderPicture(system: System): string {
  const { services, data, edge } = system;
  const forOperators = edge.sites.some((site) => site.routes.some(({ access }) => access === "operators"));
  return [
    "```mermaid",
    "flowchart LR",
    "  visitors([visitors])",
    ...(forOperators ? ["  operators([operators])"] : []),
    "  subgraph edge [edge]",
    ...edge.sites.map(({ host }, index) => `    site${index}["${host}"]`),
    "  end",
    ...Object.entries(services).map(([name, service]) => `  ${serviceNode(name, service)}`),
    ...Object.entries(data).map(([name, store]) => `  ${storeNode(name, store)}`),
    ...edge.sites.flatMap((site, index) => siteArrows(site, `site${index}`).map((arrow) => `  ${arrow}`)),
    ...Object.entries(services).flatMap(([name, { dependsOn }]) =>
      dependsOn.map((other) => `  ${id(name)} --> ${id(other)}`),
    ),
    "```",
    "",
  ].join("\n");
}

/** A README with its picture brought up to date; a README without the place for it is left alone. */
export function withPicture(readme: string, system: System): string {
  const [before, rest] = readme.split(`${pictureStart}\n`);
  const [, after] = rest?.split(pictureEnd) ?? [];
  if (before === undefined || after === undefined) return readme;
  return `${before}${pictureStart}\n\n${renderPicture(system)}\n${pictureEnd}${after}`;
}

/** Some words and the hyphen mean something to Mermaid. */
const id = (name: string): string => `n_${name.replaceAll("-", "_")}`;

function serviceNode(name: string, service: Service): string {
  const tiers = service.networks.join(", ");
  if (service.kind === "job") return `${id(name)}{{"${name}<br/>once per image<br/>${tiers}"}}`;
  if (service.kind === "schedule") {
    return `${id(name)}{{"${name}<br/>${service.cron} ${service.timeZone}<br/>${tiers}"}}`;
  }
  const count = service.replicas === 1 ? "" : ` × ${service.replicas}`;
  const port = service.kind === "web" ? ` :${service.port}` : "";
  return `${id(name)}["${name}${count}${port}<br/>${tiers}"]`;
}

function storeNode(name: string, store: Store): string {
  if (store.kind === "managed") return `${id(name)}[("${name}<br/>${store.server}, managed")]`;
  const pooler = store.kind === "postgres" && store.pooler ? " behind PgBouncer" : "";
  return `${id(name)}[("${name}<br/>${store.kind}${pooler}<br/>${store.networks.join(", ")}")]`;
}

/** One arrow per service and audience, with the paths that lead there. */
function siteArrows(site: Site, from: string): string[] {
  const audiences = [
    { access: "public", who: "visitors", line: ["-->", "--", "-->"] },
    { access: "operators", who: "operators", line: ["-.->", "-.", ".->"] },
  ] as const;
  return audiences.flatMap(({ access, who, line: [plain, open, close] }) => {
    const routes = site.routes.filter((route) => route.access === access);
    const targets = [...new Set(routes.map(({ service }) => service))];
    if (targets.length === 0) return [];
    return [
      `${who} ${plain} ${from}`,
      ...targets.map((service) => {
        const paths = routes.filter((route) => route.service === service).map(({ path }) => path);
        return `${from} ${open} "${paths.join(" ")}" ${close} ${id(service)}`;
      }),
    ];
  });
}
