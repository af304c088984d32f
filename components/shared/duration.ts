/** A length of time as people write it, for example `"30 seconds"`. */
export type Duration = `${number} ${"ms" | "second" | "seconds" | "minute" | "minutes" | "hour" | "hours"}`;

const millisecondsPer = { ms: 1, second: 1e3, seconds: 1e3, minute: 6e4, minutes: 6e4, hour: 36e5, hours: 36e5 };

/** What a duration may look like; the rest of the string is its unit. */
export const durationPattern = /^(\d+(?:\.\d+)?) (ms|seconds?|minutes?|hours?)$/;

export function milliseconds(duration: Duration): number {
  const match = durationPattern.exec(duration);
  if (!match) throw new Error(`not a duration: "${duration}"`);
  return Math.round(Number(match[1]) * millisecondsPer[match[2] as keyof typeof millisecondsPer]);
}

/**
 * The form Docker reads back, as Go prints it without zero parts: `"1m30s"`, `"2s"`, `"500ms"`.
 * Any other spelling of the same length shows as a change on every preview.
 */
export function dockerDuration(duration: Duration): string {
  const total = milliseconds(duration);
  const parts: [number, string][] = [
    [Math.floor(total / 36e5), "h"],
    [Math.floor(total / 6e4) % 60, "m"],
    [Math.floor(total / 1e3) % 60, "s"],
    [total % 1e3, "ms"],
  ];
  const text = parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join("");
  return text === "" ? "0s" : text;
}
