import { Agent, request } from "node:https";
import { WebSocket } from "ws";

export interface Tally {
  readonly requests: number;
  /** Every request that did not get the answer it should, by reason. */
  readonly failures: Readonly<Record<string, number>>;
}

export interface Target {
  readonly port: number;
  readonly host: string;
  readonly path: string;
  /** Requests per second. */
  readonly rate: number;
  /** Without kept connections every request is a new visitor, handshake included. */
  readonly keepAlive: boolean;
}

/**
 * Visitors of a site at a steady rate, until it is stopped. A failed request is counted and never repeated: Node's
 * client does not retry by itself, not even on a kept connection.
 */
export class Load {
  readonly #target: Target;
  readonly #agent: Agent;
  readonly #timer: NodeJS.Timeout;
  readonly #open = new Set<Promise<void>>();
  readonly #failures = new Map<string, number>();
  requests = 0;

  constructor(target: Target) {
    this.#target = target;
    this.#agent = new Agent({ keepAlive: target.keepAlive, maxSockets: 200, maxCachedSessions: 0 });
    const tickMs = 10;
    let owed = 0;
    this.#timer = setInterval(() => {
      for (owed += (target.rate * tickMs) / 1000; owed >= 1; owed--) this.#count();
    }, tickMs);
  }

  #count(): void {
    this.requests++;
    const done = this.#send().catch((error: unknown) => {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = code ?? message;
      this.#failures.set(reason, (this.#failures.get(reason) ?? 0) + 1);
    });
    this.#open.add(done);
    void done.then(() => this.#open.delete(done));
  }

  #send(): Promise<void> {
    const { port, host, path } = this.#target;
    return new Promise((resolve, reject) => {
      const options = {
        agent: this.#agent,
        port,
        path,
        servername: host,
        headers: { host },
        rejectUnauthorized: false,
      };
      const sent = request({ ...options, host: "127.0.0.1", timeout: 10_000 }, (response) => {
        response.on("error", reject).resume();
        response.on("end", () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`status ${response.statusCode ?? 0}`));
        });
      });
      sent.on("timeout", () => sent.destroy(new Error("no answer within 10 s")));
      sent.on("error", reject).end();
    });
  }

  async stop(): Promise<Tally> {
    clearInterval(this.#timer);
    await Promise.all(this.#open);
    this.#agent.destroy();
    return { requests: this.requests, failures: Object.fromEntries(this.#failures) };
  }
}

/** An open WebSocket to the echo of the sample application. */
export class Echo {
  readonly #socket: WebSocket;
  readonly closed: Promise<number>;
  isOpen = true;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once("close", (code) => {
        this.isOpen = false;
        resolve(code);
      });
    });
  }

  static async open(port: number, host: string, path: string): Promise<Echo> {
    const options = { servername: host, headers: { host }, rejectUnauthorized: false };
    const socket = new WebSocket(`wss://127.0.0.1:${port}${path}`, options);
    const echo = new Echo(socket);
    await new Promise((resolve, reject) => {
      socket.once("message", resolve).once("error", reject);
    });
    return echo;
  }

  /** Whether what is said still comes back. */
  async echoes(): Promise<boolean> {
    const word = String(Math.random());
    const answered = new Promise<boolean>((resolve) => {
      this.#socket.once("message", (data) => {
        resolve((data as Buffer).toString() === word);
      });
      void this.closed.then(() => {
        resolve(false);
      });
    });
    this.#socket.send(word);
    return await answered;
  }

  close(): void {
    this.#socket.close();
  }
}
