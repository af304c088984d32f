import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { Duplex, type Readable, type Writable } from "node:stream";

/** Enough of what a command said to see why it ended; the end of it is where the reason stands. */
const complaintLength = 2000;

/**
 * A command's stdin and stdout as one connection: what is written goes to the command, what it prints is read.
 * Ends the command when it is destroyed; fails with `explain(what the command said)` when the command does.
 */
export class CommandConnection extends Duplex {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** What `http.Agent` compares with its own `timeout`; connections have none here. */
  readonly timeout = 0;

  constructor(argv: readonly [string, ...string[]], cwd: string, explain: (complaint: string) => string) {
    super();
    const [program, ...args] = argv;
    const child = spawn(program, args, { cwd, stdio: ["pipe", "pipe", "pipe"] });
    this.#child = child;
    let complaint = "";
    const fail = (said: string): void => {
      this.destroy(new Error(explain(said.trim())));
    };
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint = (complaint + text).slice(-complaintLength);
    });
    child.stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) child.stdout.pause();
    });
    // A write to a command that just ended; its exit says why.
    child.stdin.on("error", () => undefined);
    child.on("error", (error) => {
      fail(error.message);
    });
    child.on("close", (code, signal) => {
      if (code === 0) this.push(null);
      else fail(complaint === "" ? `ended by ${signal ?? `exit code ${code ?? "unknown"}`}` : complaint);
    });
  }

  override _read(): void {
    this.#child.stdout.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#child.stdin.write(chunk, encoding, (error) => {
      // A broken pipe says less than the command's own last words, which its end brings.
      if (error) this.#child.kill();
      else done();
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#child.stdin.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#child.kill();
    for (const stream of this.#pipes()) stream.destroy();
    done(error);
  }

  /** An idle connection does not keep the process running; `http.Agent` calls this and the three below. */
  unref(): this {
    this.#child.unref();
    for (const pipe of this.#pipes()) pipe.unref();
    return this;
  }

  ref(): this {
    this.#child.ref();
    for (const pipe of this.#pipes()) pipe.ref();
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  /** Pipes of a child are sockets to Node, though their types do not say so. */
  #pipes(): Socket[] {
    return [this.#child.stdin, this.#child.stdout, this.#child.stderr] as unknown as Socket[];
  }
}
