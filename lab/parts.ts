import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { ensureContainer, ensureVolume, hash, type ContainerSpec } from "./docker.ts";
import { get, until } from "./http.ts";
import type { LabImages } from "./images.ts";
import { layersPath, layersVolume } from "./layers.ts";
import { ensureCa, ensureServerCertificate } from "./parts/ca.ts";
import { pebbleRoot, renderPebble } from "./parts/pebble.ts";
import { readFiles } from "./read-files.ts";
import type { Lab } from "./settings.ts";
import { systemNames } from "./systems.ts";
import { keepPorts, once, readIfThere, writeFileAtomic } from "./state.ts";

/** Where each part lives in the lab's /24. */
const addresses = { registry: 2, cloudflare: 3, pebble: 4 } as const;

/** What the world around berth's hosts looks like from this machine. */
export interface Parts {
  /** PEM of the CA that vouches for the registry and for Pebble's directory. */
  readonly ca: string;
  readonly registryPort: number;
  readonly cloudflare: { readonly baseUrl: string; readonly token: string; readonly zoneId: string };
  /** PEM bundle of the roots that sign what Pebble issues. */
  readonly acmeRoots: string;
}

/** Starts registry, Cloudflare and Pebble on the lab's network and waits until each answers. */
export async function ensureParts(
  docker: Docker,
  lab: Lab,
  images: LabImages,
  prefix: string,
  report: (step: string) => void,
): Promise<Parts> {
  const ports = await keepPorts(partPortsFile(lab), ["registry", "cloudflare", "pebble"]);
  const ca = await readFile((await ensureCa(tlsDirectory(lab))).certificate, "utf8");
  const at = (part: keyof typeof addresses) => `${prefix}.${addresses[part]}`;
  const [, cloudflare] = await Promise.all([
    startRegistry(docker, lab, { image: images.parts.tag, address: at("registry"), port: ports.registry, ca }, report),
    startCloudflare(docker, lab, { image: images.base.tag, address: at("cloudflare"), port: ports.cloudflare }, report),
  ]);
  const pebble = { image: images.parts.tag, address: at("pebble"), port: ports.pebble, ca, dns: at("cloudflare") };
  await startPebble(docker, lab, pebble, report);
  const acmeRoots = await keepAcmeRoots(lab, `https://127.0.0.1:${ports.pebble}`, ca);
  return { ca, registryPort: ports.registry, cloudflare, acmeRoots };
}

interface Place {
  readonly image: string;
  readonly address: string;
  /** On 127.0.0.1. */
  readonly port: number;
}

async function startRegistry(docker: Docker, lab: Lab, place: Place & { ca: string }, report: (step: string) => void) {
  const tls = await ensureServerCertificate(tlsDirectory(lab), "registry", ["registry.test", "127.0.0.1"]);
  const configuration = join(lab.directory, "registry.yml");
  await writeFileAtomic(configuration, renderRegistry());
  await ensure(docker, lab, report, {
    part: "registry",
    image: place.image,
    command: ["docker-registry", "serve", "/etc/docker/registry/config.yml"],
    address: place.address,
    aliases: ["registry.test"],
    ports: { [place.port]: "5000/tcp" },
    binds: [
      `${configuration}:/etc/docker/registry/config.yml:ro`,
      `${tls.certificate}:/tls/cert.pem:ro`,
      `${tls.privateKey}:/tls/key.pem:ro`,
      `${await ensureVolume(docker, lab, "registry")}:/var/lib/registry`,
      // Made when it is first mounted, without the label by which a lab's own volumes go.
      `${layersVolume}:${layersPath}`,
    ],
    contentHash: hash([renderRegistry(), await readFile(tls.certificate, "utf8")]),
  });
  await until("registry", () => get(`https://127.0.0.1:${place.port}/v2/`, { ca: place.ca }));
}

/** Deleting is on: that an image is no longer at the registry is one of the things people rehearse. */
function renderRegistry(): string {
  return `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: /var/lib/registry}
  delete: {enabled: true}
http:
  addr: 0.0.0.0:5000
  tls: {certificate: /tls/cert.pem, key: /tls/key.pem}
`;
}

/** What the lab's Cloudflare runs from, beside packages: it is written here and has no image of its own. */
export const cloudflareSources = ["lab/cloudflare", "components/cloudflare/ranges.ts"] as const;

async function startCloudflare(docker: Docker, lab: Lab, place: Place, report: (step: string) => void) {
  const directory = join(lab.directory, "cloudflare");
  const zones = await Promise.all(
    systemNames(lab.root).map(async (system) => {
      const zone = `${system}.test`;
      return { zone, id: await once(join(directory, "zone-ids", zone), () => randomBytes(16).toString("hex")) };
    }),
  );
  const token = (await once(join(directory, "token"), () => `${randomBytes(20).toString("hex")}\n`)).trim();
  const home = "/berth";
  await ensure(docker, lab, report, {
    part: "cloudflare",
    image: place.image,
    command: [
      ...[
        `${home}/node_modules/node/bin/node`,
        `${home}/lab/cloudflare/main.ts`,
        ...zones.flatMap(({ zone, id }) => ["--zone", zone, "--zone-id", id]),
      ],
      ...["--token-file", "/token", "--data", "/data/zones.json", "--http", "0.0.0.0:8080", "--dns", "0.0.0.0:53"],
    ],
    address: place.address,
    aliases: ["cloudflare.test"],
    ports: { [place.port]: "8080/tcp" },
    binds: [
      // The repository's own Node.
      `${join(lab.root, "node_modules")}:${home}/node_modules:ro`,
      `${join(lab.root, "package.json")}:${home}/package.json:ro`,
      ...cloudflareSources.map((path) => `${join(lab.root, path)}:${home}/${path}:ro`),
      `${join(directory, "token")}:/token:ro`,
      `${await ensureVolume(docker, lab, "cloudflare")}:/data`,
    ],
    contentHash: hash(cloudflareSources.map((path) => readFiles(join(lab.root, path)))),
  });
  const base = `http://127.0.0.1:${place.port}`;
  await until("cloudflare", () => get(`${base}/lab/health`));
  const zoneId = zones.find(({ zone }) => zone === lab.domain)?.id ?? "";
  return { baseUrl: `${base}/client/v4`, token, zoneId };
}

async function startPebble(
  docker: Docker,
  lab: Lab,
  place: Place & { ca: string; dns: string },
  report: (step: string) => void,
) {
  const tls = await ensureServerCertificate(tlsDirectory(lab), "pebble", ["pebble.test", "127.0.0.1"]);
  const part = renderPebble({ dnsServer: `${place.dns}:53` });
  const files = Object.entries(part.files);
  const onDisk = (path: string) => join(lab.directory, "pebble", path.split("/").at(-1) ?? "");
  for (const [path, text] of files) await writeFileAtomic(onDisk(path), text);
  await ensure(docker, lab, report, {
    part: "pebble",
    image: place.image,
    command: part.command,
    env: part.env,
    address: place.address,
    aliases: ["pebble.test"],
    ports: { [place.port]: `${part.ports["management"] ?? 15000}/tcp` },
    binds: [
      ...files.map(([path]) => `${onDisk(path)}:${path}:ro`),
      `${tls.certificate}:${part.mounts["certificate"] ?? ""}:ro`,
      `${tls.privateKey}:${part.mounts["privateKey"] ?? ""}:ro`,
    ],
    contentHash: hash([part.files, await readFile(tls.certificate, "utf8")]),
  });
  await until("pebble", () => pebbleRoot(`https://127.0.0.1:${place.port}`, place.ca));
}

/**
 * Pebble makes a new root at every start, while a certificate that the edge has goes on being one of an earlier root:
 * so every root that this lab has seen is trusted.
 */
async function keepAcmeRoots(lab: Lab, management: string, ca: string): Promise<string> {
  const path = join(lab.directory, "acme-root.pem");
  const kept = (await readIfThere(path)) ?? "";
  const current = `${(await pebbleRoot(management, ca)).trim()}\n`;
  const roots = kept.includes(current) ? kept : kept + current;
  await writeFileAtomic(path, roots);
  return roots;
}

export function partPortsFile(lab: Lab): string {
  return join(lab.directory, "part-ports.json");
}

function tlsDirectory(lab: Lab): string {
  return join(lab.directory, "tls");
}

async function ensure(docker: Docker, lab: Lab, report: (step: string) => void, spec: ContainerSpec): Promise<void> {
  const hostConfig = { RestartPolicy: { Name: "unless-stopped" } };
  const { outcome } = await ensureContainer(docker, lab, { ...spec, hostConfig });
  if (outcome !== "kept") report(`${spec.part} ${outcome}`);
}
