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
 * The form in which Docker's provider reads it back, Go's less the zeros at its end: `"1m30s"`, `"1h0m5s"`, `"13.5s"`,
 * `"500ms"`. Any other spelling of the same length is a change in every preview.
 */
export function dockerDuration(duration: Duration): string {
  const total = milliseconds(duration);
  if (total === 0) return "0s";
  if (total < 1e3) return `${total}ms`;
  const [hours, minutes, seconds] = [Math.floor(total / 36e5), Math.floor(total / 6e4) % 60, (total % 6e4) / 1e3];
  const text = [
    hours > 0 && `${hours}h`,
    (minutes > 0 || (hours > 0 && seconds > 0)) && `${minutes}m`,
    seconds > 0 && `${seconds}s`,
  ];
  return text.filter((part) => part !== false).join("");
}
