import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { createServer, type Server } from "node:https";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { connect, type PeerCertificate } from "node:tls";
import { certificateCommand, certificateFiles, renderFiles } from "../../components/edge/edge.render.ts";
import type { AcmeCertificate } from "../../components/config/certificate.ts";
import { ensureImages } from "../../lab/build.ts";
import { certbotImage, labImages } from "../../lab/images.ts";
import { ensureCa, ensureServerCertificate } from "../../lab/parts/ca.ts";
import { pebbleRoot, renderPebble } from "../../lab/parts/pebble.ts";
import { labNamed } from "../../lab/settings.ts";
import { freePorts } from "../../lab/state.ts";
import { TestCloudflare } from "../support/cloudflare.ts";
import { until } from "../support/until.ts";
import { TestEdge, type Outcome } from "./edge-host.ts";

const repository = join(import.meta.dirname, "../..");

/** How the authority behaves: as it should, rate-limiting every order, or silent. */
export type Mood = "well" | "limiting" | "silent";

/** An edge whose host has certbot, with an authority and a Cloudflare of its own. */
export class CertbotHost extends TestEdge {
  readonly cloudflare: TestCloudflare;
  mood: Mood = "well";
  /** Longest life of a certificate, as Pebble is told. */
  readonly lifeSeconds = 40;
  #front: Server | undefined;
  #ca = "";
  #managementPort = 0;

  private constructor(cloudflare: TestCloudflare) {
    super();
    this.cloudflare = cloudflare;
  }

  static async begin(): Promise<CertbotHost> {
    const host = new CertbotHost(await TestCloudflare.start());
    await host.prepare();
    return host;
  }

  get directory(): string {
    const address = this.#front?.address();
    return `https://127.0.0.1:${typeof address === "object" ? (address?.port ?? 0) : 0}/dir`;
  }

  protected override async prepare(): Promise<void> {
    await super.prepare();
    const { base, parts } = labImages(repository, []);
    const certbot = certbotImage(repository, base);
    await ensureImages(
      this.docker,
      labNamed(this.name, repository, { http: 0, https: 0 }).cache,
      [certbot, parts],
      () => undefined,
    );
    await writeFile(join(this.root, "settings"), `${await this.file("settings")}propagation=1\n`);
    const [acmePort = 0, managementPort = 0] = await freePorts(2);
    this.#managementPort = managementPort;
    const tls = join(this.root, "tls");
    this.#ca = await readFile((await ensureCa(tls)).certificate, "utf8");
    const own = await ensureServerCertificate(tls, "pebble", ["127.0.0.1", "localhost"]);
    const part = renderPebble({ dnsServer: `127.0.0.1:${this.cloudflare.dnsPort}`, validitySeconds: this.lifeSeconds });
    const [[path, config] = ["", ""]] = Object.entries(part.files);
    const { pebble } = JSON.parse(config) as { pebble: Record<string, unknown> };
    const here = {
      listenAddress: `127.0.0.1:${acmePort}`,
      managementListenAddress: `127.0.0.1:${managementPort}`,
      httpPort: this.httpPort,
    };
    await writeFile(join(this.root, "pebble.json"), JSON.stringify({ pebble: { ...pebble, ...here } }));
    await this.#run(parts.tag, {
      command: [...part.command],
      env: Object.entries(part.env).map(([key, value]) => `${key}=${value}`),
      binds: [
        `${this.root}/pebble.json:${path}:ro`,
        `${own.certificate}:${part.mounts["certificate"] ?? ""}:ro`,
        `${own.privateKey}:${part.mounts["privateKey"] ?? ""}:ro`,
      ],
    });
    await this.#run(certbot.tag, {
      name: `${this.name}-host`,
      binds: ["/var/run/docker.sock:/var/run/docker.sock", `${this.root}:${this.root}`],
      pid: true,
    });
    this.#front = createServer(
      { cert: await readFile(own.certificate), key: await readFile(own.privateKey) },
      (request, response) => {
        if (this.mood === "silent") return;
        if (this.mood === "limiting" && request.url !== "/dir" && request.method === "POST") {
          response.writeHead(429, {
            "Content-Type": "application/problem+json",
            "Retry-After": "7200",
            "Replay-Nonce": "bm9uY2U",
          });
          const detail =
            "too many certificates (5) already issued for this exact set of domains in the last 168h0m0s, retry after 2031-02-03 04:05:06 UTC";
          response.end(JSON.stringify({ type: "urn:ietf:params:acme:error:rateLimited", detail, status: 429 }));
          return;
        }
        const to = {
          port: acmePort,
          path: request.url,
          method: request.method,
          headers: request.headers,
          ca: this.#ca,
        };
        request.pipe(
          httpsRequest({ ...to, host: "127.0.0.1", agent: false }, (answer) => {
            response.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(response);
          }).on("error", () => response.destroy()),
        );
      },
    );
    this.#front.listen(0, "127.0.0.1");
    await once(this.#front, "listening");
    await until("Pebble answers", 20_000, () =>
      pebbleRoot(`https://127.0.0.1:${managementPort}`, this.#ca).catch(() => undefined),
    );
  }

  async #run(
    image: string,
    args: { name?: string; command?: string[]; env?: string[]; binds: string[]; pid?: boolean },
  ): Promise<void> {
    const container = await this.docker.createContainer({
      Image: image,
      ...(args.name !== undefined && { name: args.name }),
      ...(args.command && { Cmd: args.command }),
      ...(args.env && { Env: args.env }),
      Labels: { "berth.test": this.name },
      HostConfig: { NetworkMode: "host", Binds: args.binds, Init: true, ...(args.pid === true && { PidMode: "host" }) },
    });
    await container.start();
  }

  override begin(args: readonly string[]): ChildProcessWithoutNullStreams {
    return spawn("docker", ["exec", "--interactive", `${this.name}-host`, join(this.root, "bin/edge"), ...args]);
  }

  /** As `pulumi up` does. */
  certificate(system: string, certificate: AcmeCertificate, token?: string): Promise<Outcome> {
    const acme = {
      directory: this.directory,
      email: "ops@palmistry.com",
      cloudflareApi: this.cloudflare.baseUrl,
      ca: this.#ca,
    };
    const command = certificateCommand({ user: "root" }, system, acme, certificate);
    const [, ...args] = command.split(" ").map((word) => word.slice(1, -1));
    return this.edge(args, renderFiles(certificateFiles(acme, certificate, token)));
  }

  /** One verb for a certificate of the Origin CA, as `pulumi up` asks for it. */
  origin(command: string, input = ""): Promise<Outcome> {
    const [, ...args] = command.split(" ").map((word) => word.slice(1, -1));
    return this.edge(args, input);
  }

  /** The host as it is after it was set up anew: nothing of the edge, of its certificates or of certbot's account. */
  async loseAll(): Promise<void> {
    const filters = { label: [`berth.edge=${this.name}`] };
    const containers = await this.docker.listContainers({ all: true, filters });
    await Promise.all(containers.map(({ Id }) => this.docker.getContainer(Id).remove({ force: true, v: true })));
    for (const { Id } of await this.docker.listNetworks({ filters })) await this.docker.getNetwork(Id).remove();
    const kept = ["bin", "settings", "tls", "pebble.json"].map((name) => `! -name ${name}`).join(" ");
    await this.onHost(`rm -rf /etc/letsencrypt; find ${this.root} -mindepth 1 -maxdepth 1 ${kept} -exec rm -rf {} +`);
  }

  /** Longest wait for the authority from now on. */
  async waits(seconds: number): Promise<void> {
    await writeFile(join(this.root, "settings"), `${await this.file("settings")}patience=${seconds}\n`);
  }

  async onHost(script: string): Promise<string> {
    const child = spawn("docker", ["exec", `${this.name}-host`, "sh", "-c", script]);
    const [output] = await Promise.all([text(child.stdout), once(child, "close")]);
    return output;
  }

  /** The certificate that visitors of a site are shown. */
  shown(site: string): Promise<PeerCertificate> {
    return new Promise((resolve, reject) => {
      const to = { host: "127.0.0.1", port: this.httpsPort, servername: site, rejectUnauthorized: false };
      const socket = connect(to, () => {
        resolve(socket.getPeerCertificate());
        socket.destroy();
      }).on("error", reject);
    });
  }

  /** What the authority says of a certificate of its own. */
  async standing(serial: string): Promise<string> {
    const url = `https://127.0.0.1:${this.#managementPort}/cert-status-by-serial/${serial.replace(/^0+/, "").toLowerCase()}`;
    return new Promise((resolve, reject) => {
      httpsRequest(url, { ca: this.#ca }, (answer) => {
        text(answer).then((body) => {
          resolve((JSON.parse(body) as { Status: string }).Status);
        }, reject);
      })
        .on("error", reject)
        .end();
    });
  }

  /** Values of the metrics of a certificate, by name without `berth_certificate_`. */
  async metrics(certificate: string): Promise<Record<string, number>> {
    const lines = (await this.file("metrics/certificates.prom")).split("\n");
    return Object.fromEntries(
      lines.flatMap((line) => {
        const [, name = "", value] =
          new RegExp(`^berth_certificate_(\\w+)\\{.*certificate="${certificate}"\\} (\\d+)$`).exec(line) ?? [];
        return value === undefined ? [] : [[name, Number(value)]];
      }),
    );
  }

  override async stop(): Promise<void> {
    this.#front?.closeAllConnections();
    this.#front?.close();
    await super.stop();
    await this.cloudflare.stop();
  }
}
