import { text } from "node:stream/consumers";
import { execFileSync } from "node:child_process";

/*
 * Run by the `Release` component after everything was verified: prints the list of releases with this one added.
 * The list so far arrives as PULUMI_COMMAND_STDOUT, what went live on standard input.
 */

/** What a successful `pulumi up` made live. */
export interface ReleaseContent {
  /** Pinned image reference by key. */
  readonly images: Readonly<Record<string, string>>;
  /** What the stack file says about sizes and limits. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Digest of the system's definition. */
  readonly system: string;
}

export interface Release extends ReleaseContent {
  /** Counts up from 1 per stack. */
  readonly number: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Author of the commit that went live; empty outside a git repository. */
  readonly by: string;
}

/** Older releases are forgotten: the list stands in the state as one value. */
export const keptReleases = 30;

/** Adds a release, newest last. The same content again is the same release. */
export function record(
  earlier: readonly Release[],
  content: ReleaseContent,
  now: { readonly at: string; readonly by: string },
): Release[] {
  const last = earlier.at(-1);
  if (last && sameContent(last, content)) return [...earlier];
  return [...earlier, { number: (last?.number ?? 0) + 1, ...now, ...content }].slice(-keptReleases);
}

function sameContent(a: ReleaseContent, b: ReleaseContent): boolean {
  const view = ({ images, settings, system }: ReleaseContent) => JSON.stringify([images, settings, system]);
  return view(a) === view(b);
}

function author(): string {
  try {
    return execFileSync("git", ["log", "-1", "--format=%an <%ae>"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    // No git, or no repository: a release made from a plain folder has no author.
    return "";
  }
}

if (import.meta.main) {
  const earlier = JSON.parse(process.env.PULUMI_COMMAND_STDOUT ?? "[]") as Release[];
  const content = JSON.parse(await text(process.stdin)) as ReleaseContent;
  const now = { at: new Date().toISOString(), by: author() };
  process.stdout.write(JSON.stringify(record(earlier, content, now)));
}
