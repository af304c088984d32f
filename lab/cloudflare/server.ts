import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Api } from "./api.ts";
import { serveDns, type DnsServer } from "./dns.ts";
import { ApiError, refuse } from "./errors.ts";
import { Faults, HangUp, OrderedFailure, type Fault } from "./faults.ts";
import { authorityOf } from "./resources/origin-certificates.ts";
import { Store, type Zone } from "./store.ts";

export interface ServiceArgs {
  zones: readonly Zone[];
  /** One token a line, see tokens.ts. */
  tokenFile: string;
  /** Where records and settings are kept. */
  dataFile: string;
  http: { host: string; port: number };
  dns: { host: string; port: number };
  /** Called with one line for each request. */
  log?: (line: string) => void;
}

export interface Service {
  readonly httpPort: number;
  readonly dnsPort: number;
  close(): Promise<void>;
}

const prefix = "/client/v4";
const bodyLimit = 1024 * 1024;

/** Starts the lab's Cloudflare: the API over HTTP and the zones over DNS, from one set of records. */
export async function startService(args: ServiceArgs): Promise<Service> {
  const store = new Store(args.dataFile, args.zones);
  const faults = new Faults();
  const api = new Api(store, args.tokenFile);
  const dns = await serveDns(store, args.dns.host, args.dns.port);
  const http = createServer((request, response) => {
    handle(request, response, { api, faults, store, dns }).then(
      () => args.log?.(`${request.method ?? ""} ${request.url ?? ""} ${response.statusCode}`),
      (error: unknown) => {
        args.log?.(`${request.method ?? ""} ${request.url ?? ""} failed: ${String(error)}`);
        response.destroy();
      },
    );
  });
  http.listen(args.http.port, args.http.host);
  try {
    await once(http, "listening");
  } catch (error) {
    await dns.close();
    throw error;
  }
  return { httpPort: (http.address() as AddressInfo).port, dnsPort: dns.port, close: () => close(http, dns) };
}

interface Parts {
  readonly api: Api;
  readonly faults: Faults;
  readonly store: Store;
  readonly dns: DnsServer;
}

async function handle(request: IncomingMessage, response: ServerResponse, parts: Parts): Promise<void> {
  const url = new URL(request.url ?? "/", "http://lab");
  const method = request.method ?? "GET";
  try {
    const text = await readBody(request);
    if (url.pathname.startsWith("/lab/")) {
      lab(response, method, url.pathname, text, parts);
      return;
    }
    if (!url.pathname.startsWith(`${prefix}/`)) throw refuse.noRoute();
    const path = url.pathname.slice(prefix.length);
    await parts.faults.strike(method, path);
    const answer = parts.api.answer({
      method,
      path,
      query: url.searchParams,
      authorization: request.headers.authorization,
      body: () => parseBody(text, request.headers["content-type"]),
    });
    send(response, 200, { errors: [], messages: [], success: true, ...answer });
  } catch (error) {
    if (error instanceof HangUp) response.destroy();
    else if (error instanceof ApiError) fail(response, error);
    else throw error;
  }
}

function fail(response: ServerResponse, error: ApiError): void {
  // Cloudflare's own clients try ten times over minutes unless told not to; the lab's refusals are final.
  const mayRetry = error instanceof OrderedFailure && error.mayRetry;
  if (!mayRetry) response.setHeader("x-should-retry", "false");
  if (error.retryAfter !== undefined) response.setHeader("retry-after", String(error.retryAfter));
  const messages = error.hint === undefined ? [] : [{ code: 10_000, message: error.hint }];
  send(response, error.status, { errors: error.problems, messages, success: false, result: null });
}

/** The lab's own handles, outside the API: health, ordered failures and networks, purges so far, the Origin CA's certificates. */
function lab(response: ServerResponse, method: string, path: string, text: string, parts: Parts): void {
  if (path === "/lab/health" && method === "GET") {
    const zones = parts.store.zones.map(({ id, name }) => ({ id, name, records: parts.store.records(id).length }));
    send(response, 200, { status: "ok", dns: parts.dns.port, zones });
  } else if (path === "/lab/faults" && method === "POST") {
    try {
      parts.faults.order(JSON.parse(text) as Fault);
      send(response, 200, { status: "ordered" });
    } catch (error) {
      send(response, 400, { error: (error as Error).message });
    }
  } else if (path === "/lab/faults" && method === "DELETE") {
    parts.faults.clear();
    send(response, 200, { status: "cleared" });
  } else if (path === "/lab/purges" && method === "GET") {
    const purges = parts.store.zones.flatMap(({ id, name }) =>
      parts.store.objects(id, "purges").map((purge) => ({ ...purge, zone: name })),
    );
    send(response, 200, { purges });
  } else if (path === "/lab/ranges" && method === "PUT") {
    try {
      parts.api.ranges.order(JSON.parse(text));
      send(response, 200, { status: "ordered" });
    } catch (error) {
      send(response, 400, { error: (error as Error).message });
    }
  } else if (/^\/lab\/origin-ca\/(rsa|ec)$/.test(path) && method === "GET") {
    // Published on a page by the real service: what in front of origins trusts.
    send(response, 200, { certificate: authorityOf(parts.store, path.endsWith("rsa") ? "rsa" : "ec").certificate });
  } else
    send(response, 404, {
      error:
        `${method} ${path}: unknown; use GET /lab/health, /lab/purges or /lab/origin-ca/rsa|ec, ` +
        "POST or DELETE /lab/faults, PUT /lab/ranges",
    });
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bodyLimit) throw refuse.body("too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseBody(text: string, type: string | undefined): Readonly<Record<string, unknown>> {
  if (!/^application\/json(;|$)/.test(type ?? "")) throw refuse.body("content-type must be application/json");
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw refuse.body("not JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw refuse.body("not an object");
  return body as Record<string, unknown>;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

async function close(http: Server, dns: DnsServer): Promise<void> {
  http.close();
  http.closeAllConnections();
  await Promise.all([dns.close(), http.listening ? once(http, "close") : undefined]);
}
