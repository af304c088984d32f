import { connect as tcpConnect } from "node:net";
import { connect as tlsConnect } from "node:tls";
import WebSocket from "ws";

export interface SocketLoadOptions {
  /** `wss://palmistry.test/api/ws`; its host name is also the TLS server name. */
  readonly url: string;
  /** Where it is dialled. @default - the host and port of the URL */
  readonly connect?: string;
  readonly count: number;
  /** Closes them after this many seconds. */
  readonly seconds: number;
  /** Time between two pings on each. @default 500 */
  readonly pingMs?: number;
}

export interface Cut {
  readonly at: number;
  /** Close code and reason, or what broke. */
  readonly reason: string;
}

export interface SocketResult {
  readonly started: number;
  readonly ended: number;
  /** Sockets that came to stand. */
  readonly opened: number;
  readonly refused: readonly string[];
  /** Sockets that ended before they were told to. */
  readonly cut: readonly Cut[];
  /** Answered pings. */
  readonly pongs: number;
}

/** A socket whose pings stay unanswered this long is dead, whatever TCP thinks. */
const silenceMs = 5000;

/** Opens WebSockets and holds them until it is over or `signal` aborts. They are not opened again. */
export async function socketLoad(
  options: SocketLoadOptions,
  signal?: AbortSignal,
  ready?: () => void,
): Promise<SocketResult> {
  const started = Date.now();
  const refused: string[] = [];
  const cut: Cut[] = [];
  let pongs = 0;
  let closing = false;
  const open = new Map<WebSocket, number>();

  await Promise.all(
    Array.from({ length: options.count }, async () => {
      const socket = dial(options);
      await new Promise<void>((resolve) => {
        socket.once("open", () => {
          open.set(socket, Date.now());
          resolve();
        });
        socket.on("pong", () => {
          pongs++;
          open.set(socket, Date.now());
        });
        socket.on("error", (error) => {
          if (!open.has(socket)) refused.push(error.message);
          else lost(socket, error.message);
          resolve();
        });
        socket.on("close", (code, reason) => {
          lost(socket, `${code} ${reason.toString()}`.trim());
        });
      });
    }),
  );
  const opened = open.size;
  ready?.();

  function lost(socket: WebSocket, reason: string): void {
    if (open.delete(socket) && !closing) cut.push({ at: Date.now(), reason });
  }

  const end = Date.now() + options.seconds * 1000;
  while (signal?.aborted !== true && Date.now() < end && open.size > 0) {
    for (const [socket, heard] of open) {
      if (Date.now() - heard > silenceMs) {
        lost(socket, `silent for ${silenceMs} ms`);
        socket.terminate();
      } else {
        socket.ping();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, options.pingMs ?? 500));
  }
  closing = true;
  for (const socket of open.keys()) socket.terminate();
  return { started, ended: Date.now(), opened, refused, cut, pongs };
}

function dial({ url, connect }: SocketLoadOptions): WebSocket {
  const { protocol, host, hostname } = new URL(url);
  const secure = protocol === "wss:";
  const target = new URL(`${secure ? "https" : "http"}://${connect ?? host}`);
  const address = { host: target.hostname, port: Number(target.port || (secure ? 443 : 80)) };
  return new WebSocket(url, {
    createConnection: () =>
      secure
        ? tlsConnect({ ...address, servername: hostname, rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] })
        : tcpConnect(address),
  });
}
