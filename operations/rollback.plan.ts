import { isDeepStrictEqual } from "node:util";
import { parseImageRef } from "../components/shared/image-ref.ts";
import { changeText, imageChanges, type Release } from "./release-list.ts";
import type { Change } from "./stack-file.ts";
import { OperatorError } from "./verb.ts";

/*
 * Which release a rollback goes to and what it writes: decided from the releases in the state and from the stack
 * file, before anything is touched.
 */

export interface Goal {
  /** `--to`: number of the release. */
  readonly number?: number;
  /** `--to-tag`: newest release that ran this tag. */
  readonly tag?: { readonly name: string; readonly tag: string };
}

/** The stack file as far as a release is concerned. */
export interface Present {
  readonly images: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface Plan {
  readonly target: Release;
  readonly live: Release;
  readonly changes: readonly Change[];
  /** References that must be at the registry. */
  readonly refs: readonly string[];
  /** What will happen, line by line. */
  readonly explanation: readonly string[];
}

export function planRollback(releases: readonly Release[], present: Present, goal: Goal): Plan {
  const live = releases.at(-1);
  if (!live) {
    throw new OperatorError("rollback: nothing was released yet; `pulumi up` makes the first release");
  }
  const target = choose(releases, live, present, goal);
  const pins = pinChanges(present.images, target);
  const settings = settingChanges(present.settings, live, target);
  if (pins.length === 0 && settings.length === 0) {
    const what = target.number === live.number ? "is live" : "has the pins and settings of what is live";
    throw new OperatorError(
      `rollback: release ${target.number} ${what} and the stack file asks for exactly it; ` +
        "nothing to do, `pulumi up` verifies it",
    );
  }
  return {
    target,
    live,
    changes: [...pins, ...settings],
    refs: [...new Set(Object.entries(present.images).map(([name, ref]) => target.images[name] ?? ref))],
    explanation: explain(present, live, target, settings),
  };
}

function choose(releases: readonly Release[], live: Release, present: Present, goal: Goal): Release {
  if (goal.number !== undefined) {
    const found = releases.find(({ number }) => number === goal.number);
    if (found) return found;
    throw new OperatorError(`rollback: there is no release ${goal.number}; use ${numbers(releases)}`);
  }
  if (goal.tag) {
    const { name, tag } = goal.tag;
    const found = releases.findLast(
      ({ images }) => images[name] !== undefined && parseImageRef(images[name]).tag === tag,
    );
    if (found) return found;
    const known = [
      ...new Set(releases.flatMap(({ images }) => images[name] ?? []).map((ref) => parseImageRef(ref).tag)),
    ];
    const cure =
      known.length > 0 ? `released were ${known.join(", ")}` : `names are ${Object.keys(live.images).join(", ")}`;
    throw new OperatorError(`rollback: no release had ${name} at tag ${JSON.stringify(tag)}; ${cure}`);
  }
  // A try that never went live stands in the file: what it was to replace is still live, and is the way back.
  if (pinChanges(present.images, live).length > 0 || settingChanges(present.settings, live, live).length > 0)
    return live;
  const earlier = releases.slice(0, -1);
  if (earlier.length === 0) {
    throw new OperatorError(
      `rollback: there is only one release, number ${live.number}; there is nothing to go back to`,
    );
  }
  const previous = earlier.findLast((release) => differs(present, live, release));
  if (previous) return previous;
  throw new OperatorError(
    "rollback: every earlier release had the same pins and settings, only the system's definition was another; " +
      "go back to it with git and run `pulumi up`",
  );
}

function differs(present: Present, live: Release, target: Release): boolean {
  return pinChanges(present.images, target).length > 0 || settingChanges(present.settings, live, target).length > 0;
}

/** Only images that the stack file pins: the system runs no others, and a pin that nothing uses is refused. */
function pinChanges(present: Present["images"], target: Release): Change[] {
  return Object.entries(present)
    .filter(([name, ref]) => target.images[name] !== undefined && target.images[name] !== ref)
    .map(([name]) => ({ path: ["images", name], value: target.images[name] }));
}

/** Settings that either release recorded; a key that only the later one has goes out again. */
function settingChanges(present: Present["settings"], live: Release, target: Release): Change[] {
  const keys = new Set([...Object.keys(live.settings), ...Object.keys(target.settings)]);
  return [...keys]
    .filter((key) => !isDeepStrictEqual(filled(present[key]), filled(target.settings[key])))
    .map((key) => ({ path: [key], value: target.settings[key] }));
}

/** No overrides and an empty list of them are the same. */
function filled(value: unknown): unknown {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0 ? undefined : value;
}

function explain(present: Present, live: Release, target: Release, settings: readonly Change[]): string[] {
  const after = { ...present.images };
  for (const name of Object.keys(after)) after[name] = target.images[name] ?? (after[name] as string);
  const kept = Object.keys(present.images).filter((name) => target.images[name] === undefined);
  const dropped = Object.keys(target.images).filter((name) => present.images[name] === undefined);
  return [
    target.number === live.number
      ? `back to release ${target.number}, the last one that went live`
      : `from release ${live.number} back to release ${target.number}`,
    ...imageChanges(present.images, after).map((change) => `  ${changeText(change)}`),
    ...settings.map(({ path: [key], value }) => `  berth:${key} ${value === undefined ? "removed" : "as it was then"}`),
    ...kept.map((name) => `  ${name} keeps its pin: release ${target.number} did not have it`),
    ...dropped.map((name) => `  ${name} stays out: nothing uses it any more`),
    ...(target.system === live.system
      ? []
      : [
          `  note: the system's definition has changed since release ${target.number}; pins and settings go back, ` +
            "systems/ stays as it is in this checkout",
        ]),
  ];
}

function numbers(releases: readonly Release[]): string {
  const [first, last] = [releases[0]?.number, releases.at(-1)?.number];
  return first === last ? `${first ?? ""}, the only one` : `${first ?? ""} to ${last ?? ""}`;
}
