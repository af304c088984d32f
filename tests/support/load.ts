import { fork, type ChildProcess } from "node:child_process";
import { parseArgs } from "node:util";
import { httpLoad, type HttpLoadOptions } from "./load/http.ts";
import { socketLoad, type SocketLoadOptions, type SocketResult } from "./load/sockets.ts";
import { Tally, type LoadResult } from "./load/tally.ts";

/*
 * Load in a process of its own: what a test does meanwhile does not delay the requests, and a test that dies takes
 * the load with it. As a program: `node tests/support/load.ts --help`.
 */

export { switchOverMs, type LoadResult } from "./load/tally.ts";
export type { HttpLoadOptions } from "./load/http.ts";
export type { SocketLoadOptions, SocketResult } from "./load/sockets.ts";

export interface Running<Result> {
  readonly pid: number;
  /** What was seen until a moment ago. */
  readonly progress: () => Result | undefined;
  /** Ends it, waits for what is under way, and gives the result. */
  stop(): Promise<Result>;
  /** The result when it ends by itself. */
  readonly done: Promise<Result>;
}

const progressMs = 100;

type Task =
  | { readonly kind: "http"; readonly options: HttpLoadOptions }
  | { readonly kind: "sockets"; readonly options: SocketLoadOptions };
type FromChild = { readonly progress: unknown } | { readonly result: unknown } | { readonly failed: string };

/** Starts requests; resolves when the first answer has begun, or failed. */
export async function startLoad(options: HttpLoadOptions): Promise<Running<LoadResult>> {
  return start<LoadResult>({ kind: "http", options });
}

/** Opens WebSockets; resolves when they stand. */
export async function startSockets(options: SocketLoadOptions): Promise<Running<SocketResult>> {
  return start<SocketResult>({ kind: "sockets", options });
}

async function start<Result>(task: Task): Promise<Running<Result>> {
  const child = fork(import.meta.filename, ["--worker"], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  let latest: Result | undefined;
  const { promise: begun, resolve: begin } = Promise.withResolvers<undefined>();
  const done = new Promise<Result>((resolve, reject) => {
    child.on("message", (message: FromChild) => {
      if ("failed" in message) reject(new Error(message.failed));
      else if ("result" in message) resolve(message.result as Result);
      else latest = message.progress as Result;
      begin(undefined);
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      reject(new Error(`the load client ended early, ${signal ?? `exit code ${code ?? 0}`}`));
    });
  });
  child.send(task);
  await Promise.race([begun, done]);
  return {
    pid: child.pid ?? 0,
    progress: () => latest,
    stop: async () => {
      sendStop(child);
      return done;
    },
    done,
  };
}

function sendStop(child: ChildProcess): void {
  // A child that has just ended has no ears; what it said before, or its exit, settles the result.
  if (child.connected) child.send("stop", () => undefined);
}

/** The other side of `start`. */
function work(): void {
  const stop = new AbortController();
  const tell = (message: FromChild) => process.send?.(message);
  const orphaned = () => process.exit(1);
  process.once("disconnect", orphaned);
  process.on("message", (message: Task | "stop") => {
    if (message === "stop") {
      stop.abort();
      return;
    }
    run(message, stop.signal, tell)
      .then(
        (result) => tell({ result }),
        (error: unknown) => tell({ failed: (error as Error).message }),
      )
      .finally(() => {
        process.off("disconnect", orphaned);
        process.disconnect();
      });
  });
}

async function run(task: Task, signal: AbortSignal, tell: (message: FromChild) => unknown): Promise<unknown> {
  if (task.kind === "sockets") return socketLoad(task.options, signal, () => tell({ progress: undefined }));
  const tally = new Tally();
  const timer = setInterval(() => {
    if (tally.begun + tally.failed > 0) tell({ progress: tally.result() });
  }, progressMs);
  try {
    return await httpLoad(task.options, signal, tally);
  } finally {
    clearInterval(timer);
  }
}

const help = `node tests/support/load.ts http URL (--rate N | --concurrency N) --seconds N
node tests/support/load.ts sockets URL --count N --seconds N

Puts load on a URL and prints what it saw as JSON. A request is sent once, whatever happens to its connection.
Exit code 1 when a request failed or a socket was cut. Ctrl-C ends it early and prints the result.

  --connect HOST:PORT  dial this instead of the URL's host, which stays the TLS server name
  --rate N             requests per second, sent when due (open loop)
  --concurrency N      requests under way at any time (closed loop)
  --no-keep-alive      a connection for each request
  --connections N      connections at most
  --requests N         end after so many requests
  --seconds N          end after so many seconds
  --count N            sockets to hold

Example: node tests/support/load.ts http https://palmistry.test/api/version --connect 127.0.0.1:8443 \\
  --rate 500 --seconds 30`;

async function commandLine(argv: string[]): Promise<number> {
  const { positionals, values } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      connect: { type: "string" },
      rate: { type: "string" },
      concurrency: { type: "string" },
      "no-keep-alive": { type: "boolean" },
      connections: { type: "string" },
      requests: { type: "string" },
      seconds: { type: "string" },
      count: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  const [kind, url] = positionals;
  const number = (name: "rate" | "concurrency" | "connections" | "requests" | "seconds" | "count") =>
    values[name] === undefined ? undefined : Number(values[name]);
  const seconds = number("seconds");
  if (values.help === true || url === undefined || seconds === undefined || (kind !== "http" && kind !== "sockets")) {
    process.stdout.write(`${help}\n`);
    return values.help === true ? 0 : 2;
  }
  const stop = new AbortController();
  process.once("SIGINT", () => {
    stop.abort();
  });
  const common = { url, connect: values.connect, seconds };
  const result =
    kind === "sockets"
      ? await socketLoad({ ...common, count: number("count") ?? 1 }, stop.signal)
      : await httpLoad(
          {
            ...common,
            rate: number("rate"),
            concurrency: number("concurrency"),
            keepAlive: values["no-keep-alive"] !== true,
            connections: number("connections"),
            requests: number("requests"),
          },
          stop.signal,
        );
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  return "cut" in result ? Math.min(result.cut.length + result.refused.length, 1) : Math.min(result.failed, 1);
}

if (import.meta.main) {
  if (process.argv[2] === "--worker") work();
  else process.exitCode = await commandLine(process.argv.slice(2));
}
