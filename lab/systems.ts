import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { readSystem } from "../components/config/load.ts";
import type { Service } from "../components/config/service.ts";
import type { HostedStore } from "../components/config/store.ts";
import type { Resources } from "../components/config/resources.ts";
import { systemSchema, type System } from "../components/config/system.ts";
import { applicationVersions, thirdParty, type Application } from "./images.ts";

/** What a system asks of the lab, read from its definition and from the files beside it. */
export interface LabSystem {
  readonly name: string;
  /** Images that the sample application stands for. */
  readonly applications: readonly Application[];
  /** What a new lab runs: `repository:version` by the key under `berth:images`. */
  readonly images: Readonly<Record<string, string>>;
  /** Secrets that an operator would supply. */
  readonly supplied: readonly string[];
  /** Limits and reservations of services and stores. */
  readonly sizes: Readonly<Record<string, Resources>>;
  /** What keeps data on a host. */
  readonly volumes: readonly string[];
  /** As many as its production has. */
  readonly hosts: number;
  /** What `lab.yaml` beside the system says below `config:`: text for the stack file. */
  readonly config: string;
  /** Where its version can be asked. */
  readonly question: { readonly host: string; readonly path: string };
}

const versions: Readonly<Record<HostedStore["kind"], string>> = {
  postgres: "postgres:15",
  redis: "redis:7.0",
  rabbitmq: "rabbitmq:3.10",
  mongodb: "mongodb:ferretdb-1.24",
  clickhouse: "clickhouse:18.16",
};
const edge = "edge:1.30";
const pooler = "pgbouncer:1.18";

export function systemNames(root: string): string[] {
  return readdirSync(join(root, "systems")).filter((name) => existsSync(join(root, "systems", name, "system.ts")));
}

export async function labSystem(root: string, name: string): Promise<LabSystem> {
  const known = systemNames(root);
  if (!known.includes(name))
    throw new Error(`--system or LAB_SYSTEM: must be one of ${known.join(", ")}, got "${name}"`);
  const directory = join(root, "systems", name);
  const { system, systemFailure } = await readSystem(join(directory, "system.ts"));
  if (systemFailure !== undefined) throw new Error(`systems/${name}/system.ts: ${systemFailure}`);
  const parsed = systemSchema.parse(system);
  const extra = join(directory, "lab.yaml");
  return {
    ...describeSystem(parsed),
    hosts: hostsOf(readFileSync(join(directory, "production.yaml"), "utf8")),
    config: existsSync(extra) ? (/^config:\n(.*)/ms.exec(readFileSync(extra, "utf8"))?.[1] ?? "") : "",
  };
}

/** The part that follows from the definition alone. */
export function describeSystem(system: System): Omit<LabSystem, "hosts" | "config"> {
  const applications = applicationsOf(system);
  const stores = Object.values(system.data).flatMap((store): [string, string][] =>
    store.kind === "managed"
      ? []
      : [
          [store.image, versions[store.kind]],
          ...(store.kind === "postgres" && store.pooler ? [[store.pooler.image, pooler] as [string, string]] : []),
        ],
  );
  const services = ofApplications(system).map(({ image }): [string, string] => [
    image,
    thirdParty[image] ?? `${system.name}-${image}:${applicationVersions[0]}`,
  ]);
  return {
    name: system.name,
    applications,
    images: Object.fromEntries([[system.edge.image, edge], ...stores, ...services]),
    supplied: Object.entries(system.secrets).flatMap(([name, { kind }]) => (kind === "supplied" ? [name] : [])),
    sizes: Object.fromEntries(
      Object.entries({ ...system.services, ...system.data }).flatMap(([name, spec]) =>
        "resources" in spec ? [[name, spec.resources]] : [],
      ),
    ),
    volumes: [
      ...Object.entries(system.data).flatMap(([name, { kind }]) => (kind === "managed" ? [] : [name])),
      ...Object.values(system.services).flatMap((service) =>
        "volumes" in service ? Object.keys(service.volumes) : [],
      ),
    ].filter((name, index, all) => all.indexOf(name) === index),
    question: questionOf(system),
  };
}

/** Services but those that look after a store, which run in the store's own image. */
function ofApplications(system: System): Service[] {
  const ofStores = Object.values(system.data).flatMap((store) => (store.kind === "managed" ? [] : [store.image]));
  return Object.values(system.services).filter(({ image }) => !ofStores.includes(image));
}

/** One image may run in several roles; that of a web service decides what it does without a command. */
function applicationsOf(system: System): Application[] {
  const services = ofApplications(system).filter(({ image }) => thirdParty[image] === undefined);
  return [...new Set(services.map(({ image }) => image))].map((image) => {
    const web = services.find((service) => service.image === image && service.kind === "web");
    const repository = `${system.name}-${image}`;
    return web?.kind === "web"
      ? { system: system.name, repository, role: "web", port: web.port }
      : { system: system.name, repository, role: "worker", port: 8000 };
  });
}

/** The sample application tells its version below every path that leads to it. */
function questionOf({ edge, name }: System): LabSystem["question"] {
  const open = edge.sites.flatMap(({ host, routes }) =>
    routes.filter(({ access }) => access !== "operators").map(({ path }) => ({ host, path })),
  )[0];
  if (!open) throw new Error(`${name}: has no route that visitors may ask`);
  return { host: open.host, path: `${open.path.replace(/\/$/, "")}/version` };
}

function hostsOf(stackFile: string): number {
  const { config } = parse(stackFile) as { config: { "berth:hosts": unknown[] } };
  return config["berth:hosts"].length;
}
