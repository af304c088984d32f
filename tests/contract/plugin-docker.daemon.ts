import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, type Server, createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { type Provider, startChosen } from "../support/provider.ts";

/** One request that the daemon was sent, its API version taken off the path. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: unknown;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Notes how it was called, then speaks for the daemon, or says why it can't. */
const fakeSsh = (daemon: string, node: string) => `#!/bin/sh
exec ${node} -e '
const { appendFileSync } = require("node:fs");
appendFileSync("${daemon}.ssh", JSON.stringify(process.argv.slice(1)) + "\\n");
if (process.argv.includes("closed")) {
  process.stderr.write("connect to host closed port 22: Connection refused");
  process.exit(255);
}
const socket = require("node:net").connect("${daemon}");
process.stdin.pipe(socket);
socket.pipe(process.stdout);
' -- "$@"
`;

/** As much of a Docker daemon as a volume and a service need, and an `ssh` on PATH that leads to it. */
export class FakeDaemon {
  readonly calls: Call[] = [];
  /** What the registry says of an image; nothing by itself. */
  distribution: unknown;
  readonly #directory = mkdtempSync(join(tmpdir(), "berth-daemon-"));
  readonly #server: Server;
  readonly #providers: Provider[] = [];
  #service: Record<string, unknown> | undefined;

  constructor() {
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        const path = (request.url ?? "").replace(/^\/v1\.\d+/, "");
        const call = { method: request.method ?? "", path, headers: request.headers, body: parse(body) };
        this.calls.push(call);
        const answer = this.#answer(call);
        const type = path === "/_ping" ? "text/plain" : "application/json";
        response.writeHead(answer.status, { "api-version": "1.41", "content-type": type });
        response.end(path === "/_ping" ? "OK" : JSON.stringify(answer.body));
      });
    });
  }

  get socket(): string {
    return join(this.#directory, "docker.sock");
  }

  async start(): Promise<void> {
    this.#server.listen(this.socket);
    await once(this.#server, "listening");
    writeFileSync(join(this.#directory, "ssh"), fakeSsh(this.socket, process.execPath));
    chmodSync(join(this.#directory, "ssh"), 0o755);
  }

  /** The docker plugin that LAB_PLUGINS chooses, with the fake `ssh` before the real one. */
  async plugin(config: Record<string, unknown>): Promise<Provider> {
    const PATH = `${this.#directory}${delimiter}${process.env["PATH"] ?? ""}`;
    const provider = await startChosen("docker", config, { PATH, DOCKER_HOST: "unix:///nowhere" });
    this.#providers.push(provider);
    return provider;
  }

  /** Argument lists of every `ssh` so far. */
  sshCalls(): string[][] {
    try {
      const lines = readFileSync(`${this.socket}.ssh`, "utf8").trim().split("\n");
      return lines.map((line) => JSON.parse(line) as string[]);
    } catch {
      return [];
    }
  }

  called(method: string, path: string): Call[] {
    return this.calls.filter((call) => call.method === method && call.path.startsWith(path));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#providers.map((provider) => provider.stop()));
    this.#server.closeAllConnections();
    this.#server.close();
    rmSync(this.#directory, { recursive: true });
  }

  #answer({ method, path, body }: Call): Answer {
    const found = (answer: unknown): Answer => ({ status: 200, body: answer });
    if (path === "/_ping") return found("OK");
    if (path === "/version") return found({ Version: "20.10.24", ApiVersion: "1.41" });
    if (path.startsWith("/distribution/") && this.distribution !== undefined) return found(this.distribution);
    if (method === "POST" && path === "/volumes/create") return { status: 201, body: volume };
    if (path === "/volumes/data") return found(volume);
    if (method === "POST" && path === "/services/create") {
      const mode = (body as { EndpointSpec?: { Mode?: string } }).EndpointSpec?.Mode ?? "";
      const endpoint = { Spec: { Mode: mode === "" ? "vip" : mode } };
      this.#service = { ID: "abc", Version: { Index: 7 }, Spec: body, Endpoint: endpoint };
      return { status: 201, body: { ID: "abc" } };
    }
    if (method === "POST" && path.startsWith("/services/abc/update")) return found({});
    if (method === "GET" && path.startsWith("/services/abc")) return found(this.#service);
    if (method === "GET" && path.startsWith("/services")) return found(this.#service ? [this.#service] : []);
    return { status: 404, body: { message: `no such thing: ${path}` } };
  }
}

const volume = { Name: "data", Driver: "local", Mountpoint: "/there", Labels: null, Options: null, Scope: "local" };

function parse(body: string): unknown {
  return body === "" ? undefined : JSON.parse(body);
}
