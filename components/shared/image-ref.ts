/** An image as Docker names it, in its parts. */
export interface ImageRef {
  /** The text it was read from. */
  readonly ref: string;
  /** Registry, path and name, without tag and digest. */
  readonly repository: string;
  readonly tag?: string;
  /** `sha256:` and 64 hexadecimal digits: the only part that cannot come to mean something else. */
  readonly digest?: string;
}

const host = String.raw`(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d+)?/)?`;
const component = String.raw`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`;

/** What an image reference may look like; the grammar of the distribution project, digests only in SHA-256. */
export const imageRefPattern = new RegExp(
  String.raw`^(?<repository>${host}${component}(?:/${component})*)` +
    String.raw`(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$`,
);

export function parseImageRef(ref: string): ImageRef {
  const groups = imageRefPattern.exec(ref)?.groups;
  if (!groups?.repository) throw new Error(`not an image reference: "${ref}"`);
  return {
    ref,
    repository: groups.repository,
    ...(groups.tag !== undefined && { tag: groups.tag }),
    ...(groups.digest !== undefined && { digest: groups.digest }),
  };
}
