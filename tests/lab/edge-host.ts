import { execFile, spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { request as plainRequest, type IncomingHttpHeaders, type IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Docker from "dockerode";
import { edgeResources, type EdgeResources } from "../../components/config/resources.ts";
import { hostProgram, limitArguments, renderFiles } from "../../components/edge/edge.render.ts";
import { renderNginx, type Files } from "../../components/edge/nginx.render.ts";
import { renderSites, type SitesInput } from "../../components/edge/site.render.ts";
import type { Duration } from "../../components/shared/duration.ts";
import { ensureImages } from "../../lab/build.ts";
import { labImages } from "../../lab/images.ts";
import { labSystem } from "../../lab/systems.ts";
import { labNamed } from "../../lab/settings.ts";
import { freePorts } from "../../lab/state.ts";
import { until } from "../support/until.ts";

const repository = join(import.meta.dirname, "../..");

const run = promisify(execFile);

/** `?status=`, `?header=name:value` and `?size=` say how to answer. */
const mirror = `require("node:http").createServer((request, response) => {
  const query = new URL(request.url, "http://app").searchParams;
  for (const header of query.getAll("header")) response.setHeader(...header.split(":"));
  const padding = "x".repeat(Number(query.get("size") ?? 0));
  request.resume().on("end", () => {
    response.writeHead(Number(query.get("status") ?? 200), { "Content-Type": "application/json" });
    const { url, headers } = request;
    const connection = request.socket.remotePort;
    response.end(JSON.stringify({ service: process.argv[1], url, headers, padding, connection }));
  });
}).listen(8000)`;

/** Takes every request and breaks off before an answer. */
const breaker = `require("node:http").createServer((request) => {
  request.resume().on("end", () => request.socket.destroy());
}).listen(8000)`;

export interface Outcome {
  readonly code: number;
  /** What it printed, errors included. */
  readonly output: string;
}

/** An edge like that of a host, by the same program, with names and ports of its own on this machine's daemon. */
export class TestEdge {
  readonly docker = new Docker();
  readonly name = `edgetest-${randomBytes(4).toString("hex")}`;
  /** Network on which the applications are, in the place of a system's overlay network. */
  readonly network = `${this.name}-apps`;
  image = "";
  application = "";
  root = "";
  /** Networks of the proxy that the edge is told of. */
  proxyRanges: readonly string[] = [];
  /** HTTP/3 is wanted. */
  http3 = false;
  /** What nginx may take. */
  resources: EdgeResources = edgeResources.parse({});
  httpPort = 0;
  httpsPort = 0;
  #networkId = "";

  static async start(): Promise<TestEdge> {
    const edge = new this();
    await edge.prepare();
    return edge;
  }

  protected async prepare(): Promise<void> {
    const { edge, application } = await ensureEdgeImages(this.name);
    this.image = edge;
    this.application = application;
    [this.httpPort = 0, this.httpsPort = 0] = await freePorts(2);
    this.root = await mkdtemp(join(tmpdir(), `${this.name}-`));
    await chmod(this.root, 0o755);
    await mkdir(join(this.root, "bin"));
    await writeFile(join(this.root, "bin/edge"), hostProgram(), { mode: 0o755 });
    const settings = `name=${this.name} http=127.0.0.1:${this.httpPort} https=127.0.0.1:${this.httpsPort} secrets=${this.root}/secrets metrics=${this.root}/metrics ranges=${this.root}/ranges\n`;
    await writeFile(join(this.root, "settings"), settings);
    this.#networkId = (await this.docker.createNetwork({ Name: this.network, Labels: { "berth.test": this.name } })).id;
  }

  /** Starts a verb of the host's program. */
  begin(args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn(join(this.root, "bin/edge"), args);
  }

  /** Runs a verb of the host's program. */
  async edge(args: readonly string[], input = ""): Promise<Outcome> {
    const child = this.begin(args);
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    child.stdin.end(input);
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => {
        resolve(status ?? -1);
      });
    });
    return { code, output };
  }

  /** For steps that must succeed. */
  async must(step: Promise<Outcome>): Promise<void> {
    const { code, output } = await step;
    if (code !== 0) throw new Error(`ended with ${code}:\n${output}`);
  }

  runtimeArguments(image: string): string[] {
    const limits = this.limitArguments();
    return ["runtime", image, this.network, this.#networkId, ...limits, ...(this.http3 ? ["http3"] : [])];
  }

  limitArguments(): string[] {
    return limitArguments(this.resources);
  }

  runtime(image = this.image): Promise<Outcome> {
    return this.edge(this.runtimeArguments(image));
  }

  /** Serves sites; `change` has the last word about the text of their file. */
  site(input: SitesInput, drain: Duration, change = (text: string) => text): Promise<Outcome> {
    const text = change(renderSites(input));
    const names = input.sites.map((site) => site.host);
    return this.put(input.system, names, {
      ...renderNginx({ drain, proxyRanges: this.proxyRanges }),
      [`sites/${input.system}.conf`]: text,
    });
  }

  /** Serves sites with the certificates that their input names. */
  serve(input: SitesInput, drain: Duration): Promise<Outcome> {
    const files = {
      ...renderNginx({ drain, proxyRanges: this.proxyRanges }),
      [`sites/${input.system}.conf`]: renderSites(input),
    };
    const certificates = input.certificates.map(({ name, names }) => `${name}=${names.join(",")}`);
    return this.edge(["site", input.system, ...certificates], renderFiles(files));
  }

  put(system: string, names: readonly string[], files: Files): Promise<Outcome> {
    return this.edge(["site", system, `main=${names.join(",")}`], renderFiles(files));
  }

  /** The sample application, found as a service's task is: under `tasks.<service>`. */
  task(service: string): Promise<void> {
    return this.#serve(service, undefined);
  }

  /** An application that answers with what it was sent, and as its query tells it. */
  mirror(service: string): Promise<void> {
    return this.#serve(service, ["node", "-e", mirror, service]);
  }

  /** An application that breaks off whatever it is asked. */
  breaker(service: string): Promise<void> {
    return this.#serve(service, ["node", "-e", breaker]);
  }

  async #serve(service: string, command: string[] | undefined): Promise<void> {
    const container = await this.docker.createContainer({
      Image: this.application,
      ...(command && { Cmd: command }),
      Labels: { "berth.test": this.name },
      HostConfig: { NetworkMode: this.network, AutoRemove: true },
      NetworkingConfig: { EndpointsConfig: { [this.network]: { Aliases: [`tasks.${service}`] } } },
    });
    await container.start();
  }

  /** The same nginx under another image id, as a new version would be. */
  async otherImage(tag: string): Promise<string> {
    const container = await this.docker.createContainer({ Image: this.image, Cmd: ["true"] });
    const name = `${this.name}:${tag}`;
    await container.commit({ repo: this.name, tag, changes: `LABEL version=${tag}` });
    await container.remove();
    return name;
  }

  /** Somebody else listens where the edge has its ports. */
  async occupy(port: number): Promise<void> {
    const container = await this.docker.createContainer({
      Image: this.image,
      Cmd: ["busybox", "nc", "-l", "-p", String(port)],
      Labels: { "berth.test": this.name },
      HostConfig: { NetworkMode: `container:${this.name}` },
    });
    await container.start();
  }

  /** Names of all containers, networks and volumes of this edge. */
  async objects(): Promise<string[]> {
    const label = [`berth.edge=${this.name}`];
    const containers = await this.docker.listContainers({ all: true, filters: { label } });
    const networks = await this.docker.listNetworks({ filters: { label } });
    return [...containers.flatMap(({ Names }) => Names), ...networks.map(({ Name }) => Name)].toSorted();
  }

  /** What is live, by which generation. */
  async links(): Promise<string[]> {
    return [await readlink(join(this.root, "live")), await this.file("current")];
  }

  file(path: string): Promise<string> {
    return readFile(join(this.root, path), "utf8");
  }

  /** Generations of nginx that run, by number. */
  async generations(): Promise<{ number: number; image: string; startedAt: string }[]> {
    const list = await this.docker.listContainers({ filters: { label: [`berth.edge=${this.name}`] } });
    const named = list.flatMap(({ Id, Names }) => {
      const number = new RegExp(`^/${this.name}-(\\d+)$`).exec(Names[0] ?? "")?.[1];
      return number === undefined ? [] : [{ id: Id, number: Number(number) }];
    });
    const found = await Promise.all(
      named.map(async ({ id, number }) => {
        const { Config, State } = await this.docker.getContainer(id).inspect();
        return { number, image: Config.Image, startedAt: State.StartedAt };
      }),
    );
    return found.toSorted((one, other) => one.number - other.number);
  }

  container(suffix = ""): Docker.Container {
    return this.docker.getContainer(this.name + suffix);
  }

  /** Lines that a generation of nginx wrote, the current one unless another is named. It keeps the latest for a second. */
  async log(generation?: number): Promise<string[]> {
    const number = generation ?? (await this.file("current")).trim();
    const { stdout, stderr } = await run("docker", ["logs", `${this.name}-${number}`], { maxBuffer: 1e8 });
    return [...stdout.split("\n"), ...stderr.split("\n")];
  }

  /** Waits until the log has a line, and gives it. */
  logged(what: string, wanted: (line: string) => boolean): Promise<string> {
    return until(`the log has ${what}`, 10_000, async () => (await this.log()).find(wanted));
  }

  /** What an address answers inside the network namespace of nginx. */
  async inside(url: string): Promise<string> {
    const number = (await this.file("current")).trim();
    return this.execute(`-${number}`, ["busybox", "wget", "-q", "-O", "-", url]);
  }

  /** What a command inside of a container prints. */
  async execute(suffix: string, argv: readonly string[]): Promise<string> {
    return (await run("docker", ["exec", this.name + suffix, ...argv])).stdout;
  }

  async stop(): Promise<void> {
    for (const label of [`berth.edge=${this.name}`, `berth.test=${this.name}`]) {
      const filters = { label: [label] };
      const containers = await this.docker.listContainers({ all: true, filters });
      await Promise.all(containers.map(({ Id }) => this.docker.getContainer(Id).remove({ force: true, v: true })));
      for (const { Id } of await this.docker.listNetworks({ filters })) await this.docker.getNetwork(Id).remove();
    }
    const images = await this.docker.listImages({ filters: { reference: [this.name] } });
    await Promise.all(images.map(({ Id }) => this.docker.getImage(Id).remove()));
    await rm(this.root, { recursive: true, force: true });
  }
}

/** Builds what is missing: nginx, and an application behind it. */
export async function ensureEdgeImages(lab: string): Promise<{ edge: string; application: string }> {
  const { published } = labImages(repository, [await labSystem(repository, "palmistry")]);
  const find = (name: string) => published.find((image) => image.repository === name)!.image;
  const [edge, application] = [find("edge"), find("palmistry-api")];
  const { cache } = labNamed(lab, repository, { http: 0, https: 0 });
  await ensureImages(new Docker(), cache, [edge, application], () => undefined);
  return { edge: edge.tag, application: application.tag };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body as it came. */
  readonly raw: Buffer;
}

/** One request over TLS on a connection of its own. */
export function visit(
  edge: Pick<TestEdge, "httpsPort">,
  host: string,
  path: string,
  options: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly method?: string;
    readonly body?: string;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { headers, method, body } = options;
    const to = { host: "127.0.0.1", port: edge.httpsPort, servername: host, rejectUnauthorized: false, agent: false };
    request({ ...to, path, method, headers: { host, ...headers } }, (response) => {
      read(response, resolve);
    })
      .on("error", reject)
      .end(body);
  });
}

/** One request without TLS. */
export function visitPlain(edge: Pick<TestEdge, "httpPort">, host: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    plainRequest({ host: "127.0.0.1", port: edge.httpPort, path, agent: false, headers: { host } }, (response) => {
      read(response, resolve);
    })
      .on("error", reject)
      .end();
  });
}

function read(response: IncomingMessage, done: (answer: Answer) => void): void {
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  response.on("end", () => {
    const raw = Buffer.concat(chunks);
    done({ status: response.statusCode ?? 0, headers: response.headers, body: raw.toString(), raw });
  });
}
