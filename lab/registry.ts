import { join } from "node:path";
import type Docker from "dockerode";
import { finished } from "./build.ts";
import { get } from "./http.ts";
import type { Published } from "./images.ts";
import type { Lab } from "./settings.ts";
import { readIfThere, writeFileAtomic } from "./state.ts";

/** Digests by `repository:version`. */
export type Digests = Readonly<Record<string, string>>;

export interface PushResult {
  readonly digests: Digests;
  /** Digests that these names had before, for as long as the lab lives. */
  readonly earlier: Readonly<Record<string, readonly string[]>>;
}

interface Pushed {
  /** Content hash of the image that was pushed. */
  readonly tag: string;
  readonly digest: string;
  readonly earlier: readonly string[];
}

const manifestTypes = [
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
].join(", ");

/** Pushes at the same time. Most of it is compression, one core each. */
const parallel = 3;

/** Pushes what the registry does not have yet, or has from an older build, and returns all digests. */
export async function ensurePushed(
  docker: Docker,
  lab: Lab,
  registry: { readonly port: number; readonly ca: string },
  published: readonly Published[],
  report: (step: string) => void,
): Promise<PushResult> {
  const path = join(lab.directory, "pushed.json");
  const pushed = JSON.parse((await readIfThere(path)) ?? "{}") as Record<string, Pushed>;
  let written: Promise<unknown> = Promise.resolve();
  const one = async (each: Published): Promise<void> => {
    const name = `${each.repository}:${each.version}`;
    const known = pushed[name];
    if (known?.tag === each.image.tag && (await liveDigest(registry, each)) === known.digest) return;
    report(`pushing ${name}`);
    const digest = await push(docker, registry.port, each);
    const earlier = [...(known?.earlier ?? []), ...(known ? [known.digest] : [])].filter((old) => old !== digest);
    pushed[name] = { tag: each.image.tag, digest, earlier: [...new Set(earlier)] };
    // In turn: an older content must not come last.
    await (written = written.then(() => writeFileAtomic(path, JSON.stringify(pushed, undefined, 2) + "\n")));
  };
  // Each worker takes the next image. One that fails ends the generator, so that the others only finish what they have.
  const queue = (function* () {
    yield* published;
  })();
  const worker = async (): Promise<void> => {
    for (const each of queue) await one(each);
  };
  const ended = await Promise.allSettled(Array.from({ length: parallel }, worker));
  for (const end of ended) if (end.status === "rejected") throw end.reason;
  const current = Object.entries(pushed);
  return {
    digests: Object.fromEntries(current.map(([name, { digest }]) => [name, digest])),
    earlier: Object.fromEntries(current.map(([name, { earlier }]) => [name, earlier])),
  };
}

async function liveDigest(registry: { port: number; ca: string }, image: Published): Promise<string | undefined> {
  const url = `https://127.0.0.1:${registry.port}/v2/${image.repository}/manifests/${image.version}`;
  const { status, headers } = await get(url, { method: "HEAD", ca: registry.ca, headers: { Accept: manifestTypes } });
  const digest = headers["docker-content-digest"];
  return status === 200 && typeof digest === "string" ? digest : undefined;
}

/** The daemon takes any certificate from 127.0.0.0/8, so that nothing on this machine needs to trust the lab's CA. */
async function push(docker: Docker, port: number, { image, repository, version }: Published): Promise<string> {
  const repo = `127.0.0.1:${port}/${repository}`;
  await docker.getImage(image.tag).tag({ repo, tag: version });
  const name = `${repo}:${version}`;
  try {
    const stream = await docker.getImage(name).push({ tag: version, authconfig: {} });
    const lines = (await finished(docker, stream, `push ${name}`)) as { aux?: { Digest?: string } }[];
    const digest = lines.map(({ aux }) => aux?.Digest).find((each) => each !== undefined);
    if (digest === undefined) throw new Error(`push ${name}: the daemon named no digest`);
    return digest;
  } finally {
    // Takes away the name alone; the image stays under its content hash.
    await docker.getImage(name).remove({ noprune: true });
  }
}
