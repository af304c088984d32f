import { setTimeout as pause } from "node:timers/promises";

export interface Rhythm {
  /** Before the first look. */
  readonly delayMs: number;
  /** Between looks; later ones wait up to ten seconds. */
  readonly minimumMs: number;
  readonly timeoutMs: number;
}

/** The official provider's for reading and removing: two seconds first, then five, then ten. */
export const providerRhythm: Rhythm = { delayMs: 2000, minimumMs: 5000, timeoutMs: 30_000 };

/** Looks again and again in the official provider's rhythm until `look` gives something. */
export async function poll<Found>(
  rhythm: Rhythm,
  signal: AbortSignal,
  states: { readonly pending: string; readonly target: string },
  look: () => Promise<Found | undefined>,
): Promise<Found> {
  const started = Date.now();
  await pause(rhythm.delayMs, undefined, { signal });
  let wait = rhythm.minimumMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() - started + wait > rhythm.timeoutMs) {
      throw new Error(
        `timeout while waiting for state to become '${states.target}' (last state: '${states.pending}', timeout: ` +
          `${rhythm.timeoutMs / 1000}s)`,
      );
    }
    await pause(wait, undefined, { signal });
    wait = Math.min(wait * 2, 10_000);
  }
}
