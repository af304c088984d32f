import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { Socket } from "node:net";
import { Tally, type LoadResult } from "./tally.ts";

/*
 * A load client on Node's own http and https. It never sends a request twice: undici retries what it calls idempotent
 * after a closed connection, as Go's client and so `hey` do, and a deploy that resets connections then looks perfect.
 * Node's Agent leaves a request on a connection that just died to the caller, and here the caller counts it as lost.
 */

export interface HttpLoadOptions {
  /** What is asked for; its host name is also the TLS server name. */
  readonly url: string;
  /** Where it is dialled, `127.0.0.1:8443`. @default - the host and port of the URL */
  readonly connect?: string;
  /** Requests per second, sent when they are due whether or not earlier ones were answered. */
  readonly rate?: number;
  /** Requests under way at any time, the next one sent when one ends; instead of `rate`. */
  readonly concurrency?: number;
  /** Keep connections for the next request, or open one for each. @default true */
  readonly keepAlive?: boolean;
  /** Connections at most. @default 32 with keep-alive, 1000 without */
  readonly connections?: number;
  /** Ends after this many seconds. */
  readonly seconds: number;
  /** Ends after this many requests. @default - no limit but the time */
  readonly requests?: number;
  /** An answer that takes longer is a failure. @default 10000 */
  readonly timeoutMs?: number;
  /** PEM of the CA to trust. @default - any certificate is accepted: this measures, it does not protect */
  readonly ca?: string;
}

/** Requests that are under way at most: beyond it the client has lost, and says so instead of eating memory. */
const saturation = 5000;
const tickMs = 5;

/** Puts load on a URL until it is over or `signal` aborts; what is under way then is waited for. */
export async function httpLoad(
  options: HttpLoadOptions,
  signal?: AbortSignal,
  tally = new Tally(),
): Promise<LoadResult> {
  const send = sender(options, tally);
  const limit = options.requests ?? Infinity;
  const end = performance.now() + options.seconds * 1000;
  const over = () => signal?.aborted === true || performance.now() >= end;
  const pending = new Set<Promise<void>>();
  let sent = 0;
  const issue = (due: number): void => {
    sent++;
    if (pending.size >= saturation) {
      tally.missed("client saturated");
      return;
    }
    const answer = send.request(due).finally(() => pending.delete(answer));
    pending.add(answer);
  };

  const { rate, concurrency } = options;
  if ((rate === undefined) === (concurrency === undefined)) throw new Error("load: give either rate or concurrency");
  if (concurrency !== undefined) {
    const lane = async () => {
      while (!over() && sent < limit) {
        sent++;
        await send.request(performance.now());
      }
    };
    await Promise.all(Array.from({ length: concurrency }, lane));
  } else if (rate !== undefined) {
    const start = performance.now();
    while (!over() && sent < limit) {
      const due = Math.min(Math.floor(((performance.now() - start) * rate) / 1000) + 1, limit);
      while (sent < due) issue(start + (sent * 1000) / rate);
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
  }
  await Promise.all(pending);
  send.close();
  return tally.result();
}

function sender(options: HttpLoadOptions, tally: Tally): { request(due: number): Promise<void>; close(): void } {
  const url = new URL(options.url);
  const secure = url.protocol === "https:";
  const dialled = new URL(`${url.protocol}//${options.connect ?? url.host}`);
  const keepAlive = options.keepAlive ?? true;
  const agentOptions = {
    keepAlive,
    maxSockets: options.connections ?? (keepAlive ? 32 : 1000),
    scheduling: "fifo",
  } as const;
  const agent = secure ? new TlsAgent(agentOptions) : new Agent(agentOptions);
  const requestOptions: RequestOptions = {
    agent,
    host: dialled.hostname,
    port: dialled.port,
    path: url.pathname + url.search,
    headers: { host: url.host },
    ...(secure && { servername: url.hostname, rejectUnauthorized: options.ca !== undefined, ca: options.ca }),
  };
  const create = secure ? tlsRequest : httpRequest;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const counted = new WeakSet<Socket>();

  const request = async (due: number): Promise<void> =>
    new Promise((resolve) => {
      const outgoing = create(requestOptions, (answer) => {
        tally.begun++;
        read(answer, (problem, body) => {
          if (problem !== undefined) missed(problem);
          else if (answer.statusCode !== 200) missed(`status ${answer.statusCode ?? 0}`);
          else
            settle(() => {
              tally.answered(body, performance.now() - due);
            });
        });
      });
      let settled = false;
      const settle = (count: () => void): void => {
        if (settled) return;
        settled = true;
        clearTimeout(timer);
        count();
        resolve();
      };
      const missed = (reason: string): void => {
        settle(() => {
          tally.missed(reason);
        });
      };
      const timer = setTimeout(() => {
        missed(`no answer within ${timeoutMs} ms`);
        outgoing.destroy();
      }, timeoutMs);
      outgoing.once("socket", (socket) => {
        if (counted.has(socket)) return;
        counted.add(socket);
        tally.connections++;
      });
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        missed(error.code ?? error.message);
      });
      outgoing.end();
    });
  return {
    request,
    close: () => {
      agent.destroy();
    },
  };
}

function read(answer: IncomingMessage, done: (problem: string | undefined, body: string) => void): void {
  let body = "";
  answer.setEncoding("utf8");
  answer.on("data", (chunk: string) => {
    if (body.length < 256) body += chunk;
  });
  answer.once("error", (error: NodeJS.ErrnoException) => {
    done(`cut within the answer: ${error.code ?? error.message}`, "");
  });
  answer.once("end", () => {
    done(undefined, body);
  });
}
