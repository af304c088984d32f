import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { parse } from "yaml";
import { physicalName } from "../../../components/shared/naming.ts";
import { ensureImages } from "../../../lab/build.ts";
import { builtImage, labImages, type Image } from "../../../lab/images.ts";
import { readFiles } from "../../../lab/read-files.ts";
import { ensurePushed } from "../../../lab/registry.ts";
import { pin } from "../../../lab/stack-file.ts";
import type { TestLab } from "../../lab/support/lab.ts";
import { onHost } from "./context.ts";

/* Where other people's proxies stand: images, ports and files on the host of the lab, of which nothing is left. */

const peers = join(import.meta.dirname, "peers");
const host = "host1";
/** On the host, for what is not the edge's own. */
const firstPort = 18_080;
const directory = "/tmp/bench";
const firewall = "/etc/berth/firewall.nft";

const kamalProxy = {
  name: "kamal-proxy",
  module: "github.com/basecamp/kamal-proxy",
  version: "v0.9.2",
  package: "cmd/kamal-proxy",
  generated: {},
};

/** Runs a script on the host. */
export type On = (script: string) => Promise<string>;

/** Opens the ports of others on the host; afterwards nothing of them is left. */
export async function withPorts(lab: TestLab, work: (on: On) => Promise<void>): Promise<void> {
  const on: On = async (script) => onHost(lab, host, script);
  try {
    await remove(on);
    await openPorts(on);
    await work(on);
  } finally {
    await remove(on);
    await on(`nft --file ${firewall}; rm -rf ${directory}`);
  }
}

export interface Images {
  /** The edge's image as it is pinned, and the same under another digest. */
  readonly edges: readonly [string, string];
  readonly peers: string;
  /** The application's, as it is pinned. */
  readonly application: string;
}

export async function pushImages(lab: TestLab): Promise<Images> {
  const { root, cache } = lab.lab;
  const { base, published } = labImages(root, [lab.prepared.system]);
  const edge = published.find(({ repository }) => repository === "edge");
  if (!edge) throw new Error("the lab has no image of the edge");
  const next = builtImage("edge-next", edge.image, { Dockerfile: "ARG BASE\nFROM ${BASE}\nLABEL next=true\n" });
  const others = builtImage("bench-peers", base, { Dockerfile: readFiles(peers)["Dockerfile"] ?? "" }, {}, [
    kamalProxy,
  ]);
  const docker = new Docker();
  const report = (step: string): void => {
    process.stdout.write(`  ${step}\n`);
  };
  await ensureImages(docker, cache, [next, others], report);
  const as = (repository: string, version: string, image: Image) => ({ repository, version, image });
  const added = [as("edge", "next", next), as("bench-peers", "1", others)];
  const registry = { port: lab.prepared.parts.registryPort, ca: lab.prepared.parts.ca };
  const { digests } = await ensurePushed(docker, lab.lab, registry, added, report);
  const { config } = parse(await readFile(lab.stackFile, "utf8")) as {
    config: { "berth:images": { edge: string; api: string } };
  };
  const reference = (name: string) => pin(name, digests[name] ?? "");
  const { edge: pinned, api } = config["berth:images"];
  return { edges: [pinned, reference("edge:next")], peers: reference("bench-peers:1"), application: api };
}

/** Starts a container on the application's network; what it returns puts another one in its place. */
export async function container(on: On, name: string, ports: string, run: string): Promise<() => Promise<void>> {
  const start = `docker run --detach --name ${name} --network ${physicalName("palmistry", "edge")} --publish ${ports} ${run}`;
  await on(start);
  return async () => {
    await on(`docker stop ${name}; docker rm ${name}; ${start}`);
  };
}

/** Puts a file on the host, and finds a port. */
export async function place(lab: TestLab, on: On, index: number, name?: string) {
  const port = firstPort + index;
  const connect = `${lab.prepared.hosts[0]?.address ?? ""}:${port}`;
  const file = `${directory}/${name ?? ""}`;
  if (name !== undefined) {
    const text = Buffer.from(readFiles(peers)[name] ?? "").toString("base64");
    await on(`mkdir -p ${directory}; echo ${text} | base64 -d >${file}`);
  }
  return { port, file, directory, target: { origin: `http://${lab.lab.domain}`, connect } };
}

/** berth's firewall lets nobody else's ports in. */
async function openPorts(on: On): Promise<void> {
  const ports = `${firstPort}-${firstPort + 9}`;
  await on(`nft insert rule inet berth forward meta l4proto tcp ct original proto-dst ${ports} accept`);
}

async function remove(on: On): Promise<void> {
  const containers = "^bench-(haproxy|caddy|kamal|direct)$";
  await on(`docker service ls --quiet --filter name=bench-nginx | xargs -r docker service rm
docker ps --all --quiet --filter 'name=${containers}' | xargs -r docker rm --force
docker volume ls --quiet --filter name=bench-kamal | xargs -r docker volume rm`);
}
