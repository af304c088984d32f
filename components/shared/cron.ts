/* Times to run at, as cron writes them, in the words of cron, of systemd and of a shell. */

/** The values that each field allows, ascending; `undefined` is any. Sunday is 0. */
export interface Cron {
  readonly minute: readonly number[] | undefined;
  readonly hour: readonly number[] | undefined;
  readonly day: readonly number[] | undefined;
  readonly month: readonly number[] | undefined;
  readonly weekday: readonly number[] | undefined;
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Short names in place of numbers, from `min` on. */
  readonly words?: readonly string[];
}

const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const fields: readonly Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of month", min: 1, max: 31 },
  { name: "month", min: 1, max: 12, words: months },
  // 7 is Sunday too.
  { name: "day of week", min: 0, max: 7, words: weekdays },
];

/**
 * Reads five fields: `*`, numbers, ranges, steps of `*` or of a range, and lists of these; months and days of week by
 * their first three letters too. Answers with an error that says what to write when that is not what they are.
 */
export function parseCron(text: string): Cron | Error {
  const words = text.trim().toLowerCase().split(/\s+/);
  if (words.length !== fields.length) {
    return new Error('write five fields: minute, hour, day of month, month, day of week, for example "30 3 * * sun"');
  }
  const read = fields.map((field, index) => fieldValues(field, words[index] ?? ""));
  const wrong = read.find((values) => values instanceof Error);
  if (wrong) return wrong;
  const [minute, hour, day, month, weekday] = read as (number[] | undefined)[];
  const longest = Math.max(
    ...(month ?? [1]).map((number) => [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][number - 1] ?? 0),
  );
  if (day && !weekday && Math.min(...day) > longest) return new Error("write a day of month that its months have");
  const sundays = weekday && [...new Set(weekday.map((number) => number % 7))].toSorted((a, b) => a - b);
  return { minute, hour, day, month, weekday: sundays };
}

function fieldValues(field: Field, text: string): number[] | undefined | Error {
  if (text === "*") return undefined;
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const [, from = "", to, step] = /^(\*|\w+)(?:-(\w+))?(?:\/(\d+))?$/.exec(part) ?? [];
    const first = from === "*" ? field.min : valueOf(field, from);
    const last = from === "*" ? everyEnd(field) : to === undefined ? first : valueOf(field, to);
    const stepless = step !== undefined && from !== "*" && to === undefined;
    if (first === undefined || last === undefined || first > last || stepless || (from === "*" && to !== undefined)) {
      return complaint(field, part);
    }
    const stride = step === undefined ? 1 : Number(step);
    if (stride < 1 || stride > field.max) return complaint(field, part);
    for (let value = first; value <= last; value += stride) values.add(value);
  }
  return [...values].toSorted((a, b) => a - b);
}

const everyEnd = ({ max, words }: Field): number => (words === weekdays ? 6 : max);

function valueOf({ min, max, words }: Field, text: string): number | undefined {
  const word = words?.indexOf(text) ?? -1;
  if (word >= 0) return min + word;
  const value = /^\d{1,2}$/.test(text) ? Number(text) : undefined;
  return value === undefined || value < min || value > max ? undefined : value;
}

function complaint({ name, min, max, words }: Field, part: string): Error {
  const named = words ? `, or ${words[0] ?? ""} to ${words.at(-1) ?? ""}` : "";
  return new Error(
    `write as its ${name} * or numbers from ${min} to ${max}${named}, ranges a-b, steps */n or a-b/n, and lists of these, ` +
      `instead of ${JSON.stringify(part)}`,
  );
}

/** Times that were checked before. */
export function knownCron(text: string): Cron {
  const cron = parseCron(text);
  if (cron instanceof Error) throw cron;
  return cron;
}

/**
 * The same times for a timer of systemd: two expressions when day of month and day of week are both given, since
 * systemd wants both to hold.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.time.html#Calendar%20Events
 */
export function onCalendar({ minute, hour, day, month, weekday }: Cron, timeZone: string): string[] {
  const list = (values: readonly number[] | undefined): string => values?.join(",") ?? "*";
  const rest = `${list(hour)}:${list(minute)}:00 ${timeZone}`;
  const onDays = (days: readonly number[] | undefined): string => `*-${list(month)}-${list(days)} ${rest}`;
  if (!weekday) return [onDays(day)];
  const named = weekday.map((number) => capitalized(weekdays[number] ?? "")).join(",");
  return [...(day ? [onDays(day)] : []), `${named} ${onDays(undefined)}`];
}

const capitalized = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1);

const minuteMs = 60_000;
/** No zone changes its clocks but at a quarter of an hour. */
const quarterMs = 15 * minuteMs;

/** The latest of these times that is after `since` and not after `until`, in milliseconds; nothing when there is none. */
export function lastDue(cron: Cron, timeZone: string, since: number, until: number): number | undefined {
  const offset = offsets(timeZone);
  for (let time = Math.floor(until / minuteMs) * minuteMs; time > since; time -= minuteMs) {
    if (isDue(cron, new Date(time + offset(time)))) return time;
  }
  return undefined;
}

/** @param local The zone's clock, as if it were UTC */
function isDue({ minute, hour, day, month, weekday }: Cron, local: Date): boolean {
  const has = (values: readonly number[] | undefined, value: number): boolean => values?.includes(value) ?? true;
  if (!has(minute, local.getUTCMinutes()) || !has(hour, local.getUTCHours())) return false;
  if (!has(month, local.getUTCMonth() + 1)) return false;
  const [onDay, onWeekday] = [has(day, local.getUTCDate()), has(weekday, local.getUTCDay())];
  return day && weekday ? onDay || onWeekday : onDay && onWeekday;
}

/** How far a zone's clock is ahead of UTC at a time, in milliseconds. */
function offsets(timeZone: string): (time: number) => number {
  const fields = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
  const format = new Intl.DateTimeFormat("en", { ...fields, hourCycle: "h23", timeZone });
  let known = { quarter: Number.NaN, offset: 0 };
  return (time) => {
    const quarter = Math.floor(time / quarterMs) * quarterMs;
    if (quarter !== known.quarter) {
      const parts = Object.fromEntries(format.formatToParts(quarter).map(({ type, value }) => [type, Number(value)]));
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
      known = { quarter, offset: Date.UTC(year, month - 1, day, hour, minute) - quarter };
    }
    return known.offset;
  };
}
