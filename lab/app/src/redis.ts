import { connect, type Socket } from "node:net";

type Reply = string | number | null | Reply[];

/** As much of the Redis protocol as a worker needs: one connection, commands in order. */
export class Redis {
  readonly #socket: Socket;
  readonly #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  #received = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#deliver();
    });
    const fail = (error: Error) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    };
    socket.on("error", fail);
    socket.on("close", () => {
      fail(new Error("redis: connection closed"));
    });
  }

  /** @param url for example `redis://:password@redis:6379/0` */
  static async open(url: string): Promise<Redis> {
    const { hostname, port, password, pathname } = new URL(url);
    const redis = new Redis(connect(Number(port || 6379), hostname));
    if (password !== "") await redis.send("AUTH", decodeURIComponent(password));
    if (pathname.length > 1) await redis.send("SELECT", pathname.slice(1));
    return redis;
  }

  send(...words: string[]): Promise<Reply> {
    const line = [`*${words.length}`, ...words.flatMap((word) => [`$${Buffer.byteLength(word)}`, word]), ""].join(
      "\r\n",
    );
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(line);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #deliver(): void {
    for (;;) {
      const parsed = parse(this.#received, 0);
      if (parsed === undefined) return;
      this.#received = this.#received.subarray(parsed.end);
      const next = this.#waiting.shift();
      if (parsed.value instanceof Error) next?.reject(parsed.value);
      else next?.resolve(parsed.value);
    }
  }
}

/** One reply from `start` on, or undefined while it is not complete. */
function parse(buffer: Buffer, start: number): { value: Reply | Error; end: number } | undefined {
  const lineEnd = buffer.indexOf("\r\n", start);
  if (lineEnd < 0) return undefined;
  const kind = String.fromCharCode(buffer[start] ?? 0);
  const line = buffer.toString("utf8", start + 1, lineEnd);
  const end = lineEnd + 2;
  if (kind === "+") return { value: line, end };
  if (kind === "-") return { value: new Error(`redis: ${line}`), end };
  if (kind === ":") return { value: Number(line), end };
  const length = Number(line);
  if (length < 0) return { value: null, end };
  if (kind === "$") {
    if (buffer.length < end + length + 2) return undefined;
    return { value: buffer.toString("utf8", end, end + length), end: end + length + 2 };
  }
  const items: Reply[] = [];
  let at = end;
  for (let index = 0; index < length; index++) {
    const item = parse(buffer, at);
    if (item === undefined) return undefined;
    items.push(item.value instanceof Error ? item.value.message : item.value);
    at = item.end;
  }
  return { value: items, end: at };
}
