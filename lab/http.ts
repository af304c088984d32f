import { request as requestPlain, type IncomingHttpHeaders } from "node:http";
import { request as requestTls } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface GetOptions {
  readonly method?: "GET" | "HEAD" | "DELETE";
  readonly headers?: Readonly<Record<string, string>>;
  /** PEM of the CA to trust. */
  readonly ca?: string;
  /** Name asked for by TLS. @default - the URL's */
  readonly servername?: string;
}

/** One request on a connection of its own; any status counts as an answer. */
export async function get(url: string, options: GetOptions = {}): Promise<Answer> {
  const request = url.startsWith("https:") ? requestTls : requestPlain;
  return await new Promise((resolve, reject) => {
    request(url, { agent: false, timeout: 5_000, ...options }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      }, reject);
    })
      .on("timeout", function (this: { destroy(error: Error): void }) {
        this.destroy(new Error(`${url}: no answer within 5 s`));
      })
      .on("error", reject)
      .end();
  });
}

/** Asks until the asking does not fail, half a minute at most. */
export async function until<T>(part: string, ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline)
        throw new Error(`${part}: not ready after 30 s (${String(error)}); read \`docker logs\` of its container`, {
          cause: error,
        });
      await sleep(100);
    }
  }
}
