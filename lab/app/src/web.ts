import { createServer, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { countRequest, renderMetrics } from "./metrics.ts";
import { frontend } from "./page.ts";
import { isBad, log, secretFiles, settings } from "./settings.ts";
import { acceptSockets } from "./sockets.ts";

let draining = false;
let circuitOpen = false;

/**
 * Serves HTTP and WebSockets. On SIGTERM it drains: answers close their connections, sockets are told to reconnect,
 * new connections are accepted only until the edge has noticed, and the process ends when the last one is done.
 */
export function serve(): void {
  // Node counts a connection as idle only after a request, and would wait for one that never carries any.
  const unused = new Set<Socket>();
  const server = createServer((request, response) => {
    unused.delete(request.socket);
    countRequest();
    // A kept-alive connection that is closed while it is idle may meet a request that is already on its way.
    if (draining) response.setHeader("Connection", "close");
    answer(request.method ?? "GET", new URL(request.url ?? "/", "http://app")).then(
      (result) => {
        reply(response, result);
      },
      (error: unknown) => {
        log("request failed", { url: request.url, error: String(error) });
        response.destroy();
      },
    );
  });
  server.on("connection", (socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  server.on("upgrade", ({ socket }) => unused.delete(socket));
  const closeIdle = (): void => {
    server.closeIdleConnections();
    for (const socket of unused) socket.destroy();
  };
  // Longer than the edge keeps its connections, so that the edge is the one that closes.
  server.keepAliveTimeout = 90_000;
  const sockets = acceptSockets(server, ["/ws", "/api/ws"]);
  server.listen(settings.port, () => {
    log("listening", { port: settings.port });
  });

  process.once("SIGTERM", () => {
    draining = true;
    log("draining", { sockets: sockets.count() });
    sockets.askToReconnect();
    const ended = (how: string) => () => {
      log("stopped", { how });
      process.exit(0);
    };
    // An edge never heard of what was never healthy: nobody is on the way here.
    const lameDuckMs = isBad ? 0 : settings.lameDuckMs;
    setTimeout(() => {
      server.close(ended("drained"));
      closeIdle();
      sockets.whenNone(closeIdle);
    }, lameDuckMs);
    setTimeout(() => {
      sockets.closeAll();
      setTimeout(ended("out of time"), 1000);
    }, settings.drainMs);
  });
}

interface Answer {
  readonly status?: number;
  /** A whole text, or parts that are sent as they come. */
  readonly body: string | AsyncIterable<string>;
  readonly type?: string;
}

async function answer(method: string, url: URL): Promise<Answer> {
  // An edge may pass a prefix on or strip it: what is asked for is in the last segment.
  const path = `/${url.pathname.split("/").at(-1) ?? ""}`;
  switch (path) {
    case "/version":
      return { body: settings.version };
    case "/health":
    case "/overall":
      return isBad ? { status: 503, body: "unhealthy: this release never is healthy\n" } : { body: "ok\n" };
    case "/ready":
      return draining || isBad ? { status: 503, body: "not ready\n" } : { body: "ready\n" };
    case "/slow":
      await sleep(durationOf(url));
      return { body: "done\n" };
    case "/stream":
      return { body: stream(durationOf(url)) };
    case "/metrics":
      return { body: renderMetrics({ draining }) };
    case "/circuit-breaker":
      if (method === "POST") circuitOpen = url.searchParams.get("state") === "open";
      return { body: JSON.stringify({ state: circuitOpen ? "open" : "closed" }), type: "application/json" };
    case "/env-check":
      return { body: JSON.stringify(secretFiles()), type: "application/json" };
    case "/":
      return { body: frontend(), type: "text/html; charset=utf-8" };
    default:
      return { status: 404, body: `${url.pathname}: not found\n` };
  }
}

/** Milliseconds that the query asks for. */
function durationOf(url: URL): number {
  return Math.min(Number(url.searchParams.get("ms") ?? 1000), 60_000);
}

/** A line each half second, and a last one that tells a whole answer from a cut one. */
async function* stream(ms: number): AsyncGenerator<string> {
  const end = Date.now() + ms;
  for (let left = ms; left > 0; left = end - Date.now()) {
    yield ".\n";
    await sleep(Math.min(left, 500));
  }
  yield "done\n";
}

function reply(response: ServerResponse, { status = 200, body, type = "text/plain; charset=utf-8" }: Answer): void {
  const headers = { "Content-Type": type, "X-Application": settings.name, "X-Task": settings.task };
  if (typeof body === "string") {
    response.writeHead(status, { ...headers, "Content-Length": Buffer.byteLength(body) }).end(body);
    return;
  }
  // nginx would keep small parts back until it has enough of them.
  response.writeHead(status, { ...headers, "X-Accel-Buffering": "no" });
  const parts = Readable.from(body);
  // A visitor who has left is sent nothing more.
  response.once("close", () => parts.destroy());
  parts.pipe(response);
}
