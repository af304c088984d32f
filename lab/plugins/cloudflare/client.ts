import { setTimeout as pause } from "node:timers/promises";
import type { Context } from "../framework/types.ts";

/** What a call needs to know about the resource that makes it. */
export type Caller = Pick<Context<unknown>, "signal" | "log">;

export interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below the base URL, for example `zones/…/dns_records`. */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** An answer with a status of 400 or more, in the real provider's words. */
export class ApiFailure extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

const maxRetries = 10;
const requestTimeout = 60_000;

/** The API as the real provider uses it, its patience included: ten more tries on what may pass. */
export class Client {
  readonly #baseUrl: string;
  readonly #token: string;
  readonly #wait: (milliseconds: number, signal: AbortSignal) => Promise<unknown>;

  constructor(
    baseUrl: string,
    token: string,
    wait = (milliseconds: number, signal: AbortSignal): Promise<unknown> => pause(milliseconds, undefined, { signal }),
  ) {
    this.#baseUrl = baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`;
    this.#token = token;
    this.#wait = wait;
  }

  /** The `result` of the answer. */
  async call(call: Call, caller: Caller): Promise<Record<string, unknown>> {
    const request = `${call.method} "${this.#baseUrl}${call.path}"`;
    for (let retry = 0; ; retry++) {
      const response = await this.#send(call, caller.signal);
      if (response instanceof Response && response.ok) {
        const { result } = (await response.json()) as { result?: unknown };
        return (result ?? {}) as Record<string, unknown>;
      }
      const failure = response instanceof Response ? await refusal(request, response) : unreachable(request, response);
      if (caller.signal.aborted || !mayRetry(response) || retry === maxRetries) throw failure;
      const delay = retryDelay(response, retry);
      caller.log?.("warning", `${failure.message}; trying again in ${delay / 1000} s (${retry + 1} of ${maxRetries})`);
      await this.#wait(delay, caller.signal);
    }
  }

  /** The answer, or why there is none. */
  async #send({ method, path, body }: Call, signal: AbortSignal): Promise<Response | Error> {
    try {
      return await fetch(this.#baseUrl + path, {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeout)]),
      });
    } catch (error) {
      return error as Error;
    }
  }
}

async function refusal(request: string, response: Response): Promise<ApiFailure> {
  const { status, statusText } = response;
  const text = (await response.text()).trim();
  return new ApiFailure(`failed to make http request: ${request}: ${status} ${statusText} ${text}`, status);
}

function unreachable(request: string, error: Error): Error {
  const cause = error.cause instanceof Error ? error.cause : error;
  return new Error(`failed to make http request: ${request}: ${cause.message}`, { cause: error });
}

function mayRetry(response: Response | Error): boolean {
  if (response instanceof Error) return true;
  const wish = response.headers.get("x-should-retry");
  if (wish === "true" || wish === "false") return wish === "true";
  return [408, 409, 429].includes(response.status) || response.status >= 500;
}

/** What the server asks for, when that is less than a minute; else 2, 4, 8 … 30 seconds, less up to a quarter. */
function retryDelay(response: Response | Error, retry: number): number {
  const asked = response instanceof Error ? undefined : askedDelay(response.headers);
  if (asked !== undefined && asked >= 0 && asked < 60_000) return asked;
  const delay = Math.min(2_000 * 2 ** retry, 30_000);
  return delay - Math.floor((Math.random() * delay) / 4);
}

function askedDelay(headers: Headers): number | undefined {
  const exact = headers.get("retry-after-ms");
  if (exact !== null && Number.isFinite(Number(exact))) return Number(exact);
  const after = headers.get("retry-after");
  if (after === null) return undefined;
  if (Number.isFinite(Number(after))) return Number(after) * 1000;
  const date = Date.parse(after);
  return Number.isNaN(date) ? undefined : date - Date.now();
}
