import { setValue } from "../operations/yaml-edit.ts";
import { parse } from "yaml";
import { applicationVersions } from "./images.ts";
import type { PushResult } from "./registry.ts";
import type { LabHost } from "./hosts.ts";
import type { Lab } from "./settings.ts";

/** What only this machine knows and the stack file of a lab needs. */
export interface StackFacts {
  readonly lab: Pick<Lab, "name" | "domain">;
  readonly hosts: readonly LabHost[];
  readonly images: PushResult;
  readonly ca: string;
  readonly zoneId: string;
}

const registryAddress = "registry.test:5000";

/** Keys under `berth:images` with the `repository:version` that a new lab runs. */
const pins = {
  edge: "edge:1.30",
  postgres: "postgres:15",
  redis: "redis:7.0",
  api: `palmistry-api:${applicationVersions[0]}`,
  frontend: `palmistry-frontend:${applicationVersions[0]}`,
  worker: `palmistry-worker:${applicationVersions[0]}`,
};

/** The stack file of a new lab. */
export function renderStackFile(facts: StackFacts): string {
  const { lab } = facts;
  const where = lab.name === "local" ? "`npm run lab`" : `\`npm run lab -- --name ${lab.name}\``;
  const head = `# Written by ${where}: stack \`${lab.name}\`, the lab of this machine. Not for git.
# A later run brings hosts, CA, zone and the digests of rebuilt images up to date; everything else is yours to edit.
config:
  berth:system: palmistry
  berth:environment: local
  berth:domain: ${lab.domain}
  # Load comes from one address here: the system's own limits would cut it off.
  berth:limits:
    api: { rate: 6000 r/s, burst: 6000 }
  # Tags in the lab's registry: ${applicationVersions.join(", ")}.
  # \`npm run berth -- pin ${lab.name} api=1.1.0\` writes the digest that belongs to a tag.
  berth:images:
${Object.entries(pins)
  .map(([key, name]) => `    ${key}: ${pin(name, facts.images.digests[name] ?? "")}\n`)
  .join("")}`;
  // The last host is the one that is no manager of the smallest fleets.
  return [...owned(facts), ...placement(facts, facts.hosts.at(-1))].reduce(
    (text, [path, value]) => setValue(text, path, value),
    head,
  );
}

/**
 * The lab's own values put into a file that is there. A pin follows only when its image was rebuilt since the lab
 * wrote it; pins that people changed stay.
 */
export function updateStackFile(text: string, facts: StackFacts): string {
  const { config } = parse(text) as {
    config?: { "berth:images"?: Record<string, string>; "berth:volumes"?: Record<string, string> };
  };
  const rebuilt = Object.entries(facts.images.earlier).flatMap(([name, digests]) =>
    digests.map((digest): [string, string] => [pin(name, digest), pin(name, facts.images.digests[name] ?? "")]),
  );
  const replacement = new Map(rebuilt);
  const followed = Object.entries(config?.["berth:images"] ?? {}).flatMap(([key, current]): Assignment[] => {
    const wanted = replacement.get(current);
    return wanted === undefined ? [] : [[["config", "berth:images", key], wanted]];
  });
  // Data is where it was when there was one host.
  const placed = config?.["berth:volumes"] === undefined ? placement(facts, facts.hosts[0]) : [];
  return [...owned(facts), ...placed, ...followed].reduce((next, [path, value]) => setValue(next, path, value), text);
}

type Assignment = [path: string[], value: unknown];

export function pin(name: string, digest: string): string {
  return `${registryAddress}/${name}@${digest}`;
}

/** One host keeps all volumes: tasks that share one cannot be apart. */
function placement({ hosts }: StackFacts, host: LabHost | undefined): Assignment[] {
  if (hosts.length < 2 || !host) return [];
  const volumes = ["postgres", "redis", "uploads"];
  return [[["config", "berth:volumes"], Object.fromEntries(volumes.map((volume) => [volume, host.name]))]];
}

/** Keys that are not worth a thought of the user's: they follow from what runs on this machine. */
function owned(facts: StackFacts): Assignment[] {
  const managers = facts.hosts.length < 3 ? 1 : 3;
  const hosts = facts.hosts.map(({ name, sshPort, hostKey, address }, index) => ({
    name,
    address: "127.0.0.1",
    port: sshPort,
    hostKey,
    publicAddress: address,
    privateAddress: address,
    ...(index < managers ? {} : { role: "worker" }),
    labels: { edge: "true" },
  }));
  return [
    [["config", "berth:hosts"], hosts],
    [["config", "berth:registry"], { address: registryAddress, ca: facts.ca }],
    [
      ["config", "berth:acme"],
      {
        directory: "https://pebble.test:14000/dir",
        email: `lab@${facts.lab.domain}`,
        agreeToTerms: true,
        ca: facts.ca,
      },
    ],
    [["config", "berth:cloudflare"], { zoneId: facts.zoneId }],
  ];
}
