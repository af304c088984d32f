/*
 * What a load client saw. Moments are milliseconds since the epoch, so that what two processes saw can be put beside
 * each other.
 */

export interface Answers {
  readonly count: number;
  readonly first: number;
  readonly last: number;
}

export interface Failure {
  readonly at: number;
  readonly reason: string;
}

export interface LoadResult {
  readonly started: number;
  readonly ended: number;
  readonly requests: number;
  /** Answers that have begun, whatever became of them. */
  readonly begun: number;
  readonly ok: number;
  readonly failed: number;
  /** How often each reason was seen. */
  readonly reasons: Readonly<Record<string, number>>;
  /** The first failures, one by one. */
  readonly failures: readonly Failure[];
  /** Good answers by their body. */
  readonly bodies: Readonly<Record<string, Answers>>;
  /** Milliseconds from the moment a request was due to its whole answer; good answers only. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };
  /** Longest time without a good answer, from the first one on. */
  readonly darkMs: number;
  /** Connections opened; with keep-alive far fewer than requests. */
  readonly connections: number;
  /** Answers per second. */
  readonly rate: number;
}

const keptFailures = 50;
const bodyLength = 64;
const keptBodies = 50;
/** Each bucket is this much longer than the one before: percentiles are exact to one per cent. */
const growth = 1.01;
const buckets = 2000;

export class Tally {
  readonly #started = Date.now();
  readonly #reasons: Record<string, number> = {};
  readonly #failures: Failure[] = [];
  readonly #bodies: Record<string, { count: number; first: number; last: number }> = {};
  readonly #latencies = new Uint32Array(buckets);
  #max = 0;
  #ok = 0;
  #failed = 0;
  #lastGood: number | undefined;
  #darkMs = 0;
  begun = 0;
  connections = 0;

  get ok(): number {
    return this.#ok;
  }

  get failed(): number {
    return this.#failed;
  }

  answered(body: string, latencyMs: number, at = Date.now()): void {
    this.#ok++;
    this.#darkMs = this.#darkUntil(at);
    this.#lastGood = at;
    this.#max = Math.max(this.#max, latencyMs);
    const bucket = Math.ceil(Math.log(Math.max(latencyMs, 0.01) / 0.01) / Math.log(growth));
    const index = Math.min(bucket, buckets - 1);
    this.#latencies[index] = (this.#latencies[index] ?? 0) + 1;
    const text = body.trim().slice(0, bodyLength);
    const known = this.#bodies[text] ?? (Object.keys(this.#bodies).length < keptBodies ? undefined : this.#bodies["…"]);
    if (known) {
      known.count++;
      known.last = at;
    } else {
      this.#bodies[Object.keys(this.#bodies).length < keptBodies ? text : "…"] = { count: 1, first: at, last: at };
    }
  }

  missed(reason: string, at = Date.now()): void {
    this.#failed++;
    this.#reasons[reason] = (this.#reasons[reason] ?? 0) + 1;
    if (this.#failures.length < keptFailures) this.#failures.push({ at, reason });
  }

  result(ended = Date.now()): LoadResult {
    return {
      started: this.#started,
      ended,
      requests: this.#ok + this.#failed,
      begun: this.begun,
      ok: this.#ok,
      failed: this.#failed,
      reasons: { ...this.#reasons },
      failures: [...this.#failures],
      bodies: structuredClone(this.#bodies),
      latency: {
        p50: this.#percentile(0.5),
        p90: this.#percentile(0.9),
        p99: this.#percentile(0.99),
        max: round(this.#max),
      },
      darkMs: this.#darkUntil(ended),
      connections: this.connections,
      rate: round((this.#ok * 1000) / Math.max(ended - this.#started, 1)),
    };
  }

  #darkUntil(at: number): number {
    return Math.max(this.#darkMs, at - (this.#lastGood ?? at));
  }

  #percentile(share: number): number {
    let left = Math.ceil(this.#ok * share);
    if (left === 0) return 0;
    const index = this.#latencies.findIndex((count) => (left -= count) <= 0);
    return round(Math.min(0.01 * growth ** index, this.#max));
  }
}

/** Milliseconds between the first answer of the new version and the last one of the old; negative without overlap. */
export function switchOverMs(result: LoadResult, old: string, fresh: string): number | undefined {
  const [before, after] = [result.bodies[old], result.bodies[fresh]];
  return before && after ? before.last - after.first : undefined;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
