import { setValue } from "../operations/yaml-edit.ts";
import { parse } from "yaml";
import { applicationVersions } from "./images.ts";
import type { PushResult } from "./registry.ts";
import type { LabHost } from "./hosts.ts";
import type { Lab } from "./settings.ts";
import type { LabSystem } from "./systems.ts";

/** What only this machine knows and the stack file of a lab needs. */
export interface StackFacts {
  readonly lab: Pick<Lab, "name" | "stack" | "domain">;
  readonly system: Pick<LabSystem, "name" | "images" | "supplied" | "sizes" | "volumes" | "config">;
  readonly hosts: readonly LabHost[];
  /** Cores of this machine, which all hosts share. */
  readonly cores: number;
  readonly images: PushResult;
  readonly ca: string;
  readonly zoneId: string;
}

const registryAddress = "registry.test:5000";

/** The stack file of a new lab. */
export function renderStackFile(facts: StackFacts): string {
  const { lab, system } = facts;
  const options = [
    ...(lab.stack === lab.name ? [] : [`--system ${system.name}`]),
    ...(lab.name === "local" ? [] : [`--name ${lab.name}`]),
  ];
  const where = ["npm run lab", ...(options.length > 0 ? ["--", ...options] : [])].join(" ");
  const head = `# Written by \`${where}\`: stack \`${lab.stack}\`, the lab of this machine. Not for git.
# A later run brings hosts, CA, zone and the digests of rebuilt images up to date; everything else is yours to edit.
config:
  berth:system: ${system.name}
  berth:environment: local
  berth:domain: ${lab.domain}
${system.config}  # Tags in the lab's registry: ${applicationVersions.join(", ")}.
  # \`npm run berth -- pin ${lab.stack} ${example(system)}=1.1.0\` writes the digest that belongs to a tag.
  berth:images:
${Object.entries(system.images)
  .map(([key, name]) => `    ${key}: ${pin(name, facts.images.digests[name] ?? "")}\n`)
  .join("")}`;
  // The last host is the one that is no manager of the smallest fleets.
  return [...owned(facts), ...placement(facts, facts.hosts.at(-1)), ...room(facts)].reduce(
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

/** The first application image. */
export function example({ name, images }: Pick<LabSystem, "name" | "images">): string {
  return Object.entries(images).find(([, image]) => image.startsWith(`${name}-`))?.[0] ?? "";
}

type Assignment = [path: string[], value: unknown];

export function pin(name: string, digest: string): string {
  return `${registryAddress}/${name}@${digest}`;
}

/** All hosts of a lab share one machine: it need not have the room that production sets aside, nor as many cores. */
function room({ cores, system }: StackFacts): Assignment[] {
  return Object.entries(system.sizes).flatMap(([name, { cpus, reserveCpus, reserveMemory }]): Assignment[] => {
    const less = {
      ...(cpus > cores && { cpus: cores }),
      ...(reserveCpus !== undefined && { reserveCpus: 0.01 }),
      ...(reserveMemory !== undefined && { reserveMemory: "4 MB" }),
    };
    return Object.keys(less).length === 0 ? [] : [[["config", "berth:services", name, "resources"], less]];
  });
}

/** One host keeps all volumes: tasks that share one cannot be apart. */
function placement({ hosts, system }: StackFacts, host: LabHost | undefined): Assignment[] {
  if (hosts.length < 2 || !host) return [];
  return [[["config", "berth:volumes"], Object.fromEntries(system.volumes.map((volume) => [volume, host.name]))]];
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
    // What comes from this machine comes from the first address of the lab's network.
    [["config", "berth:operators"], facts.hosts.slice(0, 1).map(({ address }) => address.replace(/\d+$/, "1/32"))],
  ];
}
