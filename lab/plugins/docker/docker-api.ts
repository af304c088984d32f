import type { RequestOptions } from "node:http";
import { text as readText } from "node:stream/consumers";
import { CommandConnection } from "../../../components/fleet/dial-stdio.ts";
import { quote } from "../../../components/shared/shell.ts";

// By an import Node would load undici too, for the WebSocket that this module has: a tenth of the start.
const { Agent, request } = process.getBuiltinModule("node:http");

/** Version of the API that a daemon must know: that of the oldest Docker in use here. */
const apiVersion = "v1.41";

/** A daemon's refusal, in its own words. */
export class DaemonError extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(`Error response from daemon: ${message}`);
    this.status = status;
  }
}

export interface Endpoint {
  /** As in DOCKER_HOST: `ssh://[user@]host[:port][/socket]`, `unix:///path` or `tcp://host:port`. */
  readonly host: string;
  /** Arguments for `ssh`, before the host. */
  readonly sshOpts: readonly string[];
}

/** The part of the Docker API that the resources use. Connects on first use, and pings before anything else. */
export class DockerApi {
  readonly #endpoint: Endpoint;
  readonly #connection: RequestOptions;
  #pinged: Promise<unknown> | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.#connection = connectionTo(endpoint);
  }

  async get<Answer>(path: string, signal: AbortSignal): Promise<Answer> {
    return (await this.#call("GET", path, signal)) as Answer;
  }

  async post<Answer>(path: string, body: unknown, signal: AbortSignal, registryAuth?: string): Promise<Answer> {
    return (await this.#call("POST", path, signal, body, registryAuth)) as Answer;
  }

  async delete(path: string, signal: AbortSignal): Promise<void> {
    await this.#call("DELETE", path, signal);
  }

  /** Asks the daemon's registry client about an image. */
  async distribution<Answer>(image: string, signal: AbortSignal, registryAuth: string): Promise<Answer> {
    return (await this.#call("GET", `/distribution/${image}/json`, signal, undefined, registryAuth)) as Answer;
  }

  /** Fails when the daemon does not answer. */
  async ping(signal: AbortSignal): Promise<void> {
    // A failed ping is tried again by the next resource, as the official provider does.
    this.#pinged ??= this.#send("GET", "/_ping", signal).catch((error: unknown) => {
      this.#pinged = undefined;
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(
        `Error pinging Docker server, please make sure that ${this.#endpoint.host} is reachable and has a  '_ping' ` +
          `endpoint. Error: ${reason}`,
      );
    });
    await this.#pinged;
  }

  async #call(
    method: string,
    path: string,
    signal: AbortSignal,
    body?: unknown,
    registryAuth?: string,
  ): Promise<unknown> {
    await this.ping(signal);
    const text = await this.#send(method, `/${apiVersion}${path}`, signal, body, registryAuth);
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  }

  async #send(
    method: string,
    path: string,
    signal: AbortSignal,
    body?: unknown,
    registryAuth?: string,
  ): Promise<string> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(payload === undefined
        ? {}
        : { "content-type": "application/json", "content-length": Buffer.byteLength(payload) }),
      ...(registryAuth === undefined ? {} : { "x-registry-auth": registryAuth }),
    };
    const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
      const sent = request({ ...this.#connection, method, path, headers, signal }, (response) => {
        readText(response).then((text) => {
          resolve({ status: response.statusCode ?? 0, text });
        }, reject);
      });
      sent.on("error", reject);
      sent.end(payload);
    });
    if (status < 400) return text;
    throw new DaemonError(messageIn(text), status);
  }
}

function messageIn(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text.trim();
  } catch {
    return text.trim();
  }
}

function connectionTo({ host, sshOpts }: Endpoint): RequestOptions {
  const url = new URL(host);
  switch (url.protocol) {
    case "unix:":
      return { socketPath: url.pathname, agent: new Agent({ keepAlive: true }) };
    case "tcp:":
      return { host: url.hostname, port: url.port === "" ? 2375 : url.port, agent: new Agent({ keepAlive: true }) };
    case "ssh:": {
      const agent = new Agent({ keepAlive: true });
      const argv = sshCommand(url, sshOpts);
      agent.createConnection = () =>
        new CommandConnection(argv, process.cwd(), (complaint) => {
          return (
            `command [${argv.join(" ")}] has exited, make sure the URL is valid, and Docker 18.09 or later is ` +
            `installed on the remote host: stderr=${complaint}`
          );
        });
      return { host: "docker.example.com", agent };
    }
    default:
      throw new Error(`host: expected ssh://, unix:// or tcp://, got ${JSON.stringify(host)}`);
  }
}

/** The command line of Docker's own client for `ssh://` hosts, option by option. */
export function sshCommand(url: URL, sshOpts: readonly string[]): [string, ...string[]] {
  if (url.password !== "") throw new Error("host: plain-text password is not supported; use a key");
  const options = [...sshOpts];
  if (!options.join("").includes("ConnectTimeout")) options.push("-o ConnectTimeout=30");
  if (!options.includes("-T")) options.push("-T");
  const socket = url.pathname.replaceAll("/", "") === "" ? [] : [`--host=unix://${url.pathname}`];
  return [
    "ssh",
    ...(url.username === "" ? [] : ["-l", decodeURIComponent(url.username)]),
    ...(url.port === "" ? [] : ["-p", url.port]),
    ...options,
    "--",
    url.hostname,
    ["docker", ...socket, "system", "dial-stdio"].map(quoteIfNeeded).join(" "),
  ];
}

function quoteIfNeeded(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : quote(word);
}
