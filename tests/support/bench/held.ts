import { startLoad, startSockets } from "../load.ts";
import { until } from "../until.ts";
import { edgeOf, note, type Bench, type Target, type What } from "./context.ts";
import { withProxies } from "./proxies.ts";

/*
 * Connections that last longer than any change: what is cut, and when. The application lets go of what it holds 25
 * seconds after it was told to stop.
 */

const held = { WebSockets: 100, "long GETs": 50 } as const;
/** How long each lasts, in seconds. */
const length = 50;

type Kind = keyof typeof held;
/** When each one was cut, in milliseconds since the epoch. */
type Cuts = Readonly<Record<Kind, readonly number[]>>;

export async function heldThroughDeploy(bench: Bench): Promise<void> {
  const { lab } = bench;
  for (let run = 0; run < bench.runs; run++) {
    const seen = await through(edgeOf(lab), async () => {
      await lab.pin({ api: "palmistry-api:1.1.0" });
      await lab.mustUp();
    });
    noteSeen(bench, "deploy", seen, { soon: 0 });
    await lab.reset();
  }
}

/** Held connections cost nothing, so all proxies are changed at the same time. */
export async function heldThroughEdge(bench: Bench): Promise<void> {
  await withProxies(bench.lab, async (proxies) => {
    for (let run = 0; run < bench.runs; run++) {
      for (const change of ["reload", "upgrade"] as const) {
        const all = await Promise.all(
          proxies.map(async (proxy) => ({ proxy, seen: await through(proxy.target, () => proxy[change]()) })),
        );
        for (const { proxy, seen } of all)
          noteSeen(bench, `${change}: ${proxy.name}`, seen, proxy.name === "berth" ? { soon: 0, late: 0 } : {});
      }
    }
  });
}

interface Seen {
  readonly started: number;
  readonly done: number;
  readonly cuts: Cuts;
}

async function through(target: Target, change: () => Promise<void>): Promise<Seen> {
  const ended = await hold(target);
  const started = Date.now();
  await change();
  const done = Date.now();
  return { started, done, cuts: await ended() };
}

/** @param goals how many of each kind may be cut until the change is done, and at all */
function noteSeen(
  bench: Bench,
  scenario: string,
  { started, done, cuts }: Seen,
  goals: { readonly soon?: number; readonly late?: number },
): void {
  const limit = (goal: number | undefined): What => ({ unit: "", ...(goal !== undefined && { goal }) });
  for (const [kind, moments] of Object.entries(cuts) as [Kind, readonly number[]][]) {
    const what = `${held[kind]} ${kind}`;
    const soon = moments.filter((at) => at <= done).length;
    note(bench, scenario, `${what}: cut until it is done`, limit(goals.soon), soon);
    note(bench, scenario, `${what}: cut within ${length} s`, limit(goals.late), moments.length);
    if (moments.length === 0) continue;
    const first = (Math.min(...moments) - started) / 1000;
    note(bench, scenario, `${what}: first cut after the start`, { unit: "s" }, first);
  }
}

/** Opens all; the result waits until all have ended. */
async function hold({ origin, connect }: Target): Promise<() => Promise<Cuts>> {
  const [sockets, gets] = await Promise.all([
    startSockets({
      url: `${origin.replace("http", "ws")}/api/ws`,
      connect,
      count: held.WebSockets,
      seconds: length,
    }),
    startLoad({
      url: `${origin}/api/stream?ms=${length * 1000}`,
      connect,
      concurrency: held["long GETs"],
      connections: held["long GETs"],
      requests: held["long GETs"],
      seconds: length,
      timeoutMs: 2 * length * 1000,
    }),
  ]);
  await until("all answers have begun", 10_000, () =>
    gets.progress()?.begun === held["long GETs"] ? true : undefined,
  );
  return async () => {
    const [{ opened, cut, refused }, { failures, failed, reasons }] = await Promise.all([sockets.done, gets.done]);
    if (opened < held.WebSockets) throw new Error(`only ${opened} WebSockets came to stand: ${refused[0] ?? ""}`);
    if (failures.length < failed) throw new Error(`${failed} long GETs failed: ${JSON.stringify(reasons)}`);
    return { WebSockets: cut.map(({ at }) => at), "long GETs": failures.map(({ at }) => at) };
  };
}
