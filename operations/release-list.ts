import { parseImageRef } from "../components/shared/image-ref.ts";
import { isRecord } from "./stack-file.ts";
import { OperatorError } from "./verb.ts";

/** A release as the stack output `releases` records it: what a green `pulumi up` made live. */
export interface Release {
  readonly number: number;
  /** When, as ISO 8601. */
  readonly at: string;
  /** Git author of the revision. */
  readonly by: string;
  /** Pins by image name. */
  readonly images: Readonly<Record<string, string>>;
  /** Values of the stack file that belong to a release, by key without `berth:`. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Digest of the system's definition. */
  readonly system: string;
}

/** An `up` that failed. It has no number: nothing of it counts as released. */
export interface FailedTry {
  readonly at: string;
  readonly by: string;
  /** Pins it was to make live; `undefined` when they cannot be read back. */
  readonly images: Readonly<Record<string, string>> | undefined;
}

/** Reads the stack output, oldest release first. */
export function releasesFrom(outputs: Readonly<Record<string, unknown>>): Release[] {
  const releases = outputs["releases"] ?? [];
  if (!Array.isArray(releases) || !releases.every(isRelease)) {
    throw new OperatorError(
      "stack output releases: is not a list of releases; run `pulumi up` with this version of berth",
    );
  }
  return releases.toSorted((a, b) => a.number - b.number);
}

function isRelease(value: unknown): value is Release {
  return (
    isRecord(value) &&
    typeof value["number"] === "number" &&
    typeof value["at"] === "string" &&
    isRecord(value["images"]) &&
    Object.values(value["images"]).every((ref) => typeof ref === "string")
  );
}

/** Failed updates among the entries of `pulumi stack history --json`, oldest first. */
export function failedTriesFrom(history: readonly unknown[]): FailedTry[] {
  return history
    .filter(isRecord)
    .filter((entry) => entry["kind"] === "update" && entry["result"] === "failed")
    .map((entry) => {
      const environment = isRecord(entry["environment"]) ? entry["environment"] : {};
      return {
        at: String(entry["startTime"]),
        by: typeof environment["git.author"] === "string" ? environment["git.author"] : "unknown",
        images: imagesIn(entry["config"]),
      };
    })
    .toSorted((a, b) => a.at.localeCompare(b.at));
}

/** Pulumi keeps structured configuration as JSON text in its history. */
function imagesIn(config: unknown): Record<string, string> | undefined {
  const entry = isRecord(config) ? config["berth:images"] : undefined;
  const value = isRecord(entry) ? (entry["objectValue"] ?? entry["value"]) : undefined;
  const images: unknown = typeof value === "string" ? JSON.parse(value) : value;
  return isRecord(images) && Object.values(images).every((ref) => typeof ref === "string")
    ? (images as Record<string, string>)
    : undefined;
}

/** `1.4.3`, or a short digest for a pin without tag. */
export function version(ref: string): string {
  const { tag, digest } = parseImageRef(ref);
  return tag ?? digest?.slice("sha256:".length, "sha256:".length + 12) ?? "latest";
}

/** What differs between two sets of pins, in words: `api 1.0.0 → 1.1.0`. */
export function imageChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): { readonly name: string; readonly from: string | undefined; readonly to: string | undefined }[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ name, from: before[name], to: after[name] }));
}

export function changeText({
  name,
  from,
  to,
}: {
  name: string;
  from: string | undefined;
  to: string | undefined;
}): string {
  if (from === undefined || to === undefined) return `${name} ${to === undefined ? "removed" : version(to)}`;
  const [old, fresh] = [version(from), version(to)];
  // The same tag was pushed again, or moved to another repository: only the digest tells them apart.
  return old === fresh ? `${name} ${old} (${short(from)} → ${short(to)})` : `${name} ${old} → ${fresh}`;
}

function short(ref: string): string {
  return parseImageRef(ref).digest?.slice("sha256:".length, "sha256:".length + 12) ?? ref;
}
