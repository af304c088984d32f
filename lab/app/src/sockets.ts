import type { Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { settings } from "./settings.ts";

export interface Sockets {
  count(): number;
  /** A client that does leaves by itself, after it has its new connection. */
  askToReconnect(): void;
  /** Closes with 1012, "service restart". */
  closeAll(): void;
  whenNone(action: () => void): void;
}

/** WebSocket echo; the greeting names the task, so that a client sees where it is and when it was moved. */
export function acceptSockets(server: Server, paths: readonly string[]): Sockets {
  const endpoint = new WebSocketServer({ noServer: true });
  const { version, task } = settings;
  let stopping = false;
  let onNone: (() => void) | undefined;
  const tell = (event: string) => JSON.stringify({ event, task, version });

  server.on("upgrade", (request, socket: Duplex, head) => {
    if (!paths.includes((request.url ?? "").split("?")[0] ?? "")) {
      socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
      return;
    }
    endpoint.handleUpgrade(request, socket, head, (client) => {
      client.on("message", (data, isBinary) => {
        client.send(data, { binary: isBinary });
      });
      // The connection is gone either way; `close` follows.
      client.on("error", () => undefined);
      client.on("close", () => {
        if (endpoint.clients.size === 0) onNone?.();
      });
      client.send(tell("hello"));
      if (stopping) client.send(tell("reconnect"));
    });
  });

  return {
    count: () => endpoint.clients.size,
    askToReconnect: () => {
      stopping = true;
      for (const client of endpoint.clients) client.send(tell("reconnect"));
    },
    closeAll: () => {
      for (const client of endpoint.clients) client.close(1012, "restarting");
    },
    whenNone: (action) => {
      if (endpoint.clients.size === 0) action();
      onNone = action;
    },
  };
}
