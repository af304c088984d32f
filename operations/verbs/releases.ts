import { stackHistory, stackOutputs, type StackRef } from "../pulumi.ts";
import {
  changeText,
  failedTriesFrom,
  imageChanges,
  releasesFrom,
  version,
  type FailedTry,
  type Release,
} from "../release-list.ts";
import { moment, table } from "../table.ts";
import { exitCodes, stackOptions, stackOptionsHelp, text, type Verb } from "../verb.ts";

/** Pulumi lists every operation, previews excepted; this many reach back far enough to tell what failed of late. */
const historyLength = 50;

export const verb: Verb = {
  usage: "<stack> [--wide] [--json]",
  help: [
    "Lists what `pulumi up` made live, newest first: number, when, who (git author), images, result. Tries that failed",
    "stand between the releases without a number. Images are those that changed; --wide shows all.",
    "",
    "  --wide  every image of each release",
    "  --json  for programs; use `npm run --silent`",
    stackOptionsHelp,
  ].join("\n"),
  options: { ...stackOptions, wide: { type: "boolean" }, json: { type: "boolean" } },
  positionals: { min: 1, max: 1 },
  async run(context, [stack = ""], flags) {
    const ref = { root: context.root, stack, configFile: text(flags, "config-file") };
    const entries = await releaseLog(ref);
    if (flags["json"] === true) context.print(JSON.stringify(entries, null, 2));
    else if (entries.length === 0)
      context.note(`stack ${stack}: nothing was released yet; \`pulumi up\` makes the first release`);
    else context.print(render(entries, flags["wide"] === true));
    return exitCodes.done;
  },
};

export interface LogEntry {
  /** `null` for a try that failed. */
  readonly number: number | null;
  readonly at: string;
  readonly by: string;
  readonly images: Readonly<Record<string, string>>;
  readonly result: "live" | "released" | "failed";
  /** What differs from the release before it, in words. */
  readonly changes: readonly string[];
}

/** Releases and failed tries, newest first. */
export async function releaseLog(ref: StackRef): Promise<LogEntry[]> {
  const [outputs, history] = await Promise.all([stackOutputs(ref), stackHistory(ref, historyLength)]);
  return joinLog(releasesFrom(outputs), failedTriesFrom(history));
}

export function joinLog(releases: readonly Release[], failed: readonly FailedTry[]): LogEntry[] {
  const tries = failed.map((entry) => ({ ...entry, number: null }));
  const inOrder = [...releases, ...tries].toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  const live = releases.at(-1)?.number;
  let before: Readonly<Record<string, string>> = {};
  const entries = inOrder.map((entry): LogEntry => {
    const images = entry.images ?? before;
    const changes = imageChanges(before, images).map(changeText);
    if (entry.number !== null) before = images;
    const result = entry.number === null ? "failed" : entry.number === live ? "live" : "released";
    return { number: entry.number, at: entry.at, by: entry.by, images, result, changes };
  });
  return entries.reverse();
}

function render(entries: readonly LogEntry[], wide: boolean): string {
  return table(
    ["release", "when", "who", "images", "result"],
    entries.map(({ number, at, by, images, result, changes }) => [
      number === null ? "–" : String(number),
      moment(at),
      // The address is for `--json`: a name is what people know each other by.
      by === "" ? "unknown" : by.replace(/ <.*>$/, ""),
      wide
        ? Object.entries(images)
            .map(([name, ref]) => `${name} ${version(ref)}`)
            .join(", ")
        : changesText(changes),
      result,
    ]),
  );
}

function changesText(changes: readonly string[]): string {
  return changes.length === 0 ? "no image changed" : changes.join(", ");
}
