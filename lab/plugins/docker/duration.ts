/** Durations as Go writes them: `1m30s`, in nanoseconds. */

const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

export function parseDuration(text: string): number | undefined {
  const isNegative = text.startsWith("-");
  const rest = text.replace(/^[-+]/, "");
  if (rest === "0") return 0;
  const parts = [...rest.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy)];
  const read = parts.map(([part]) => part.length).reduce((sum, length) => sum + length, 0);
  if (read === 0 || read !== rest.length) return undefined;
  const total = parts.reduce((sum, [, amount, unit = ""]) => sum + Number(amount) * (nanoseconds[unit] ?? 0), 0);
  return Math.round(isNegative ? -total : total);
}

/**
 * The form in which the provider reads a duration back: Go's, less the zeros at its end. Another form of the same
 * duration (`90s` for `1m30s`) is a difference on every run.
 */
export function formatDuration(duration: number): string {
  if (duration === 0) return "0s";
  if (duration < 1e3) return `${duration}ns`;
  if (duration < 1e6) return `${duration / 1e3}µs`;
  if (duration < 1e9) return `${duration / 1e6}ms`;
  const hours = Math.floor(duration / 3600e9);
  const minutes = Math.floor((duration % 3600e9) / 60e9);
  const seconds = (duration % 60e9) / 1e9;
  const parts: string[] = [];
  if (hours > 0) parts.push(`${hours}h`);
  if (minutes > 0 || (hours > 0 && seconds > 0)) parts.push(`${minutes}m`);
  if (seconds > 0) parts.push(`${seconds}s`);
  return parts.join("");
}
