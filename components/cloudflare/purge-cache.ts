import { setTimeout as pause } from "node:timers/promises";
import { text } from "node:stream/consumers";
import { cachePurge } from "./permissions.ts";
import { explain } from "./refusals.ts";

/*
 * Run by the `Purge` component once a release is there: makes Cloudflare forget what it keeps of some paths. What they
 * are arrives on standard input, the API's token as CLOUDFLARE_API_TOKEN.
 */

/** What Cloudflare is to forget, and because of what. */
export interface PurgeRequest {
  readonly zoneId: string;
  /** Host and path without a scheme, `shop.example/assets`; everything below them is meant. */
  readonly prefixes: readonly string[];
  /** The image whose files are new. */
  readonly image: string;
}

export interface PurgeApi {
  readonly url: string;
  readonly token: string;
  readonly wait?: (milliseconds: number) => Promise<unknown>;
  readonly log?: (line: string) => void;
  readonly now?: () => number;
  /** Milliseconds that one call may take. @default 30000 */
  readonly callTimeout?: number;
}

/** Prefixes in one call. @see https://developers.cloudflare.com/cache/how-to/purge-cache/#availability-and-limits */
const perCall = 100;
/** How long a purge may wait for its turn: on the plan free, one call is allowed again every twelve seconds. */
const patience = 5 * 60_000;

/**
 * Purges prefix by prefix, waiting as long as the API asks for where it has had too many calls.
 * Throws an error that says which call failed and what to do. To purge twice does no harm.
 */
export async function purgeCache(request: PurgeRequest, api: PurgeApi): Promise<void> {
  const { wait = pause, log = () => undefined, now = Date.now } = api;
  const deadline = now() + patience;
  for (let start = 0; start < request.prefixes.length; start += perCall) {
    const prefixes = request.prefixes.slice(start, start + perCall);
    for (let tries = 1; ; tries++) {
      const answer = await call(request.zoneId, prefixes, api);
      if (answer.ok) break;
      const delay = answer.retryAfter ?? Math.min(2_000 * 2 ** (tries - 1), 30_000);
      if (!mayPass(answer) || now() + delay > deadline) throw new Error(failure(request.zoneId, prefixes, answer));
      log(`Cloudflare takes no purge now (${answer.status ?? answer.words}); trying again in ${delay / 1000} s`);
      await wait(delay);
    }
    log(`purged ${prefixes.join(", ")}`);
  }
}

interface Answer {
  readonly ok: boolean;
  /** Undefined where there was none. */
  readonly status: number | undefined;
  readonly words: string;
  /** Milliseconds. */
  readonly retryAfter?: number | undefined;
}

async function call(zoneId: string, prefixes: readonly string[], api: PurgeApi): Promise<Answer> {
  const { url, token, callTimeout = 30_000 } = api;
  try {
    const response = await fetch(`${url.replace(/\/$/, "")}/zones/${zoneId}/purge_cache`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ prefixes }),
      signal: AbortSignal.timeout(callTimeout),
    });
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    return {
      ok: response.ok,
      status: response.status,
      words: (await response.text()).trim(),
      retryAfter: Number.isFinite(seconds) ? seconds * 1000 : undefined,
    };
  } catch (error) {
    const { cause, message } = error as Error;
    return { ok: false, status: undefined, words: cause instanceof Error ? cause.message : message };
  }
}

const mayPass = ({ status }: Answer): boolean => status === undefined || status === 429 || status >= 500;

function failure(zoneId: string, prefixes: readonly string[], { status, words }: Answer): string {
  const subject = `the cache of ${prefixes.join(", ")}`;
  const refusal = { call: `POST zones/${zoneId}/purge_cache`, status, words, subject, permission: cachePurge };
  const explained = explain(refusal) ?? `Cloudflare: did not purge ${subject}, got ${status ?? "no answer"}`;
  return `${explained}\nCloudflare said: ${words}\nThe release runs; visitors may get older files until its cache forgets them.`;
}

if (import.meta.main) {
  const request = JSON.parse(await text(process.stdin)) as PurgeRequest;
  const { CLOUDFLARE_API_TOKEN: token = "", CLOUDFLARE_BASE_URL: url = "https://api.cloudflare.com/client/v4" } =
    process.env;
  const log = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  try {
    await purgeCache(request, { url, token, log });
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
