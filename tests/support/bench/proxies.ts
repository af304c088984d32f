import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { parse } from "yaml";
import { physicalName } from "../../../components/shared/naming.ts";
import { ensureImages } from "../../../lab/build.ts";
import { builtImage, labImages, type Image } from "../../../lab/images.ts";
import { readFiles } from "../../../lab/read-files.ts";
import { ensurePushed } from "../../../lab/registry.ts";
import { pin } from "../../../lab/stack-file.ts";
import { setValue } from "../../../operations/yaml-edit.ts";
import type { TestLab } from "../../lab/support/lab.ts";
import { until } from "../until.ts";
import { edgeOf, onHost, type Target } from "./context.ts";

/*
 * berth's edge and other proxies before the same application on the same host, each changed as its own manual says.
 * The others speak HTTP without TLS, and get at the application over its network as the edge does.
 */

export interface Proxy {
  readonly name: string;
  readonly target: Target;
  /** Serves another configuration, or the same anew. */
  reload(): Promise<void>;
  /** Runs another image. */
  upgrade(): Promise<void>;
}

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

/** Lets `work` see all proxies; afterwards the lab is as it was. */
export async function withProxies(lab: TestLab, work: (proxies: readonly Proxy[]) => Promise<void>): Promise<void> {
  const before = await readFile(lab.stackFile, "utf8");
  const images = await pushImages(lab);
  const on = async (script: string) => onHost(lab, host, script);
  await on(`docker pull --quiet ${images.edges[1]}; docker pull --quiet ${images.peers}`);
  try {
    await remove(on);
    await openPorts(on);
    const proxies = [
      berth(lab),
      await nginxService(lab, on, images.edges),
      await haproxy(lab, on, images.peers),
      await caddy(lab, on, images.peers),
      await kamal(lab, on, images.peers),
    ];
    for (const { name, target } of proxies.slice(1)) await answers(name, target);
    await work(proxies);
  } finally {
    await remove(on);
    await on(`nft --file ${firewall}; rm -rf ${directory}`);
    await writeFile(lab.stackFile, before);
    await lab.mustUp();
  }
}

type On = (script: string) => Promise<string>;

interface Images {
  /** The edge's image as it is pinned, and the same under another digest. */
  readonly edges: readonly [string, string];
  readonly peers: string;
}

async function pushImages(lab: TestLab): Promise<Images> {
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
  const { config } = parse(await readFile(lab.stackFile, "utf8")) as { config: { "berth:images": { edge: string } } };
  const reference = (name: string) => pin(name, digests[name] ?? "");
  return { edges: [config["berth:images"].edge, reference("edge:next")], peers: reference("bench-peers:1") };
}

function berth(lab: TestLab): Proxy {
  let changes = 0;
  let next = false;
  const edit = async (path: string[], value: unknown): Promise<void> => {
    await writeFile(lab.stackFile, setValue(await readFile(lab.stackFile, "utf8"), path, value));
    await lab.mustUp();
  };
  return {
    name: "berth",
    target: edgeOf(lab),
    // A route of the other site changes: the file of all sites is another one.
    reload: async () => {
      const message = `Change ${++changes}.`;
      await edit(["config", "berth:maintenance"], [{ host: "api.${domain}", path: "/health", message }]);
    },
    upgrade: async () => {
      next = !next;
      await lab.pin({ edge: next ? "edge:next" : "edge:1.30" });
      await lab.mustUp();
    },
  };
}

/** A service with the same settings, whose port only one task at a time can have. */
async function nginxService(lab: TestLab, on: On, images: readonly [string, string]): Promise<Proxy> {
  const name = "bench-nginx";
  const { file, target, port } = await place(lab, on, 0, "nginx.conf");
  const flags = `--quiet --detach=false --no-resolve-image`;
  await on(
    `docker service create ${flags} --name ${name} --network ${physicalName("palmistry", "edge")} \
     --publish mode=host,target=80,published=${port} --mount type=bind,source=${file},target=/etc/nginx/nginx.conf,readonly \
     ${images[0]}`,
  );
  let changes = 0;
  let next = false;
  return {
    name: "docker service update",
    target,
    // Another configuration is another task, as with `docker config`.
    reload: async () => {
      await on(`docker service update ${flags} --env-add CHANGE=${++changes} ${name}`);
    },
    upgrade: async () => {
      next = !next;
      await on(`docker service update ${flags} --image ${images[next ? 1 : 0]} ${name}`);
    },
  };
}

async function haproxy(lab: TestLab, on: On, image: string): Promise<Proxy> {
  const { file, target, port } = await place(lab, on, 1, "haproxy.cfg");
  // The signal of the image that its makers publish: it lets requests end.
  const options = `--stop-signal USR1 --volume ${file}:/etc/haproxy/haproxy.cfg:ro`;
  const replace = await container(
    on,
    "bench-haproxy",
    port,
    `${options} ${image} haproxy -W -db -f /etc/haproxy/haproxy.cfg`,
  );
  return {
    name: "HAProxy",
    target,
    reload: async () => {
      await on("docker kill --signal USR2 bench-haproxy");
    },
    upgrade: replace,
  };
}

async function caddy(lab: TestLab, on: On, image: string): Promise<Proxy> {
  const { file, target, port } = await place(lab, on, 2, "Caddyfile");
  const config = "--config /etc/caddy/Caddyfile --adapter caddyfile";
  const run = `--volume ${file}:/etc/caddy/Caddyfile:ro ${image} caddy run ${config}`;
  const replace = await container(on, "bench-caddy", port, run);
  return {
    name: "Caddy",
    target,
    reload: async () => {
      await on(`docker exec bench-caddy caddy reload --force ${config}`);
    },
    upgrade: replace,
  };
}

/** Its state is on a volume, as Kamal has it. */
async function kamal(lab: TestLab, on: On, image: string): Promise<Proxy> {
  const { target, port } = await place(lab, on, 3);
  const run = `--volume bench-kamal:/root/.config/kamal-proxy ${image} kamal-proxy run --http-port 80`;
  const replace = await container(on, "bench-kamal", port, run);
  const reload = async (): Promise<void> => {
    const options = "--target tasks.palmistry-api:8000 --health-check-path /health";
    await on(`docker exec bench-kamal kamal-proxy deploy application ${options}`);
  };
  await until("kamal-proxy takes its target", 10_000, async () =>
    reload().then(
      () => true,
      () => undefined,
    ),
  );
  return { name: "kamal-proxy", target, reload, upgrade: replace };
}

/** Starts a container on the application's network; what it returns puts another one in its place. */
async function container(on: On, name: string, port: number, run: string): Promise<() => Promise<void>> {
  const start = `docker run --detach --name ${name} --network ${physicalName("palmistry", "edge")} --publish ${port}:80 ${run}`;
  await on(start);
  return async () => {
    await on(`docker stop ${name}; docker rm ${name}; ${start}`);
  };
}

/** Puts a file on the host, and finds a port. */
async function place(lab: TestLab, on: On, index: number, name?: string) {
  const port = firstPort + index;
  const connect = `${lab.prepared.hosts[0]?.address ?? ""}:${port}`;
  const file = `${directory}/${name ?? ""}`;
  if (name !== undefined) {
    const text = Buffer.from(readFiles(peers)[name] ?? "").toString("base64");
    await on(`mkdir -p ${directory}; echo ${text} | base64 -d >${file}`);
  }
  return { port, file, target: { origin: `http://${lab.lab.domain}`, connect } };
}

/** berth's firewall lets nobody else's ports in. */
async function openPorts(on: On): Promise<void> {
  const ports = `${firstPort}-${firstPort + 9}`;
  await on(`nft insert rule inet berth forward meta l4proto tcp ct original proto-dst ${ports} accept`);
}

async function remove(on: On): Promise<void> {
  await on(`docker service rm bench-nginx >/dev/null 2>&1 || true
docker rm --force bench-haproxy bench-caddy bench-kamal >/dev/null 2>&1 || true
docker volume rm bench-kamal >/dev/null 2>&1 || true`);
}

async function answers(name: string, { origin, connect }: Target): Promise<void> {
  await until(`${name} answers`, 30_000, async () => {
    const { host: named } = new URL(origin);
    const answer = await fetch(`http://${connect}/api/version`, { headers: { host: named } }).catch(() => undefined);
    return answer?.status === 200 ? true : undefined;
  });
}
