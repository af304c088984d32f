import { setTimeout as pause } from "node:timers/promises";
import { ApiError } from "./errors.ts";

/** A failure on order: `POST /lab/faults` with this as JSON; `DELETE /lab/faults` ends all of them. */
export interface Fault {
  /** Only calls with this method. */
  readonly method?: string;
  /** Only calls whose path contains this. */
  readonly path?: string;
  /** Answer with this status; may be left out where `stallMs` or `hangUp` is given. */
  readonly status?: number;
  readonly code?: number;
  readonly message?: string;
  /** Seconds, sent as Retry-After. */
  readonly retryAfter?: number;
  /** Ordinary clients retry some statuses; by default the lab tells them not to, unless `retryAfter` is given. */
  readonly retry?: boolean;
  /** Milliseconds of silence before anything is answered; without `status` the call is then carried out. */
  readonly stallMs?: number;
  /** Close the connection without an answer; the call is not carried out. */
  readonly hangUp?: boolean;
  /** How many calls fail. @default 1 */
  readonly times?: number;
}

const keys = ["method", "path", "status", "code", "message", "retryAfter", "retry", "stallMs", "hangUp", "times"];

const usual: Readonly<Record<number, readonly [code: number, message: string]>> = {
  401: [1000, "Invalid API Token"],
  403: [10_000, "Authentication error"],
  429: [
    10_100,
    "More than 1200 requests per 300 seconds reached. Please wait and consider throttling your request speed",
  ],
  500: [1016, "An unknown error has occurred"],
};

/** The failures that were ordered and have not happened yet. */
export class Faults {
  #open: { readonly fault: Fault; left: number }[] = [];

  order(fault: Fault): void {
    const unknown = Object.keys(fault).find((key) => !keys.includes(key));
    if (unknown) throw new Error(`unknown key "${unknown}"; use ${keys.join(", ")}`);
    const { status, stallMs, hangUp } = fault;
    if (status === undefined ? stallMs === undefined && hangUp !== true : !isRefusal(status))
      throw new Error(`status: must be 400 to 599, got ${String(status)}`);
    if (stallMs !== undefined && !(stallMs > 0)) throw new Error(`stallMs: must be above 0, got ${String(stallMs)}`);
    this.#open.push({ fault, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#open = [];
  }

  /** Keeps the caller waiting and throws the failure, as ordered for this call, if one was. */
  async strike(method: string, path: string): Promise<void> {
    const hit = this.#open.find(
      ({ fault, left }) =>
        left > 0 && (fault.method ?? method) === method && (fault.path === undefined || path.includes(fault.path)),
    );
    if (!hit) return;
    hit.left -= 1;
    const { status, retryAfter, retry, stallMs, hangUp } = hit.fault;
    if (stallMs !== undefined) await pause(stallMs, undefined, { ref: false });
    if (hangUp === true) throw new HangUp();
    if (status === undefined) return;
    const [code, message] = usual[status] ?? [status, "Ordered failure"];
    throw new OrderedFailure(hit.fault, status, code, message, retryAfter, retry ?? retryAfter !== undefined);
  }
}

function isRefusal(status: number): boolean {
  return Number.isInteger(status) && status >= 400 && status <= 599;
}

/** The connection is to be closed without an answer. */
export class HangUp extends Error {}

/** As `ApiError`, with the word whether the caller may try again. */
export class OrderedFailure extends ApiError {
  readonly mayRetry: boolean;

  constructor(
    fault: Fault,
    status: number,
    code: number,
    message: string,
    retryAfter: number | undefined,
    mayRetry: boolean,
  ) {
    super(status, [{ code: fault.code ?? code, message: fault.message ?? message }], retryAfter);
    this.mayRetry = mayRetry;
  }
}
