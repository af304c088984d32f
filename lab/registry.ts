import { join } from "node:path";
import type Docker from "dockerode";
import { finished } from "./build.ts";
import { objectName } from "./docker.ts";
import { get } from "./http.ts";
import type { Image, Published } from "./images.ts";
import { keepLayers, offerLayers } from "./layers.ts";
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
    const name = nameOf(each);
    const known = pushed[name];
    report(`pushing ${name}`);
    const digest = await push(docker, registry.port, each);
    const earlier = [...(known?.earlier ?? []), ...(known ? [known.digest] : [])].filter((old) => old !== digest);
    pushed[name] = { tag: each.image.tag, digest, earlier: [...new Set(earlier)] };
    // In turn: an older content must not come last.
    await (written = written.then(() => writeFileAtomic(path, JSON.stringify(pushed, undefined, 2) + "\n")));
  };
  const there = await Promise.all(published.map(async (each) => isThere(registry, each, pushed[nameOf(each)])));
  const missing = published.filter((_, index) => there[index] !== true);
  if (missing.length > 0) {
    const container = docker.getContainer(objectName(lab, "registry"));
    await offerLayers(container, [...new Set(missing.map(({ repository }) => repository))]);
    for (const wave of waves(missing)) await together(wave, one);
    await keepLayers(container);
  }
  const current = Object.entries(pushed);
  return {
    digests: Object.fromEntries(current.map(([name, { digest }]) => [name, digest])),
    earlier: Object.fromEntries(current.map(([name, { earlier }]) => [name, earlier])),
  };
}

/**
 * The images in the order in which they are pushed, those of a wave at the same time: none has a base in common with
 * another one of its wave unless the registry has that base already. Docker finds layers that the registry has, but
 * compresses those that are under way once for each repository.
 */
export function waves(published: readonly Published[]): Published[][] {
  const there = new Set<string>();
  const found: Published[][] = [];
  for (let left = published; left.length > 0;) {
    const under = new Set<string>();
    const wave = left.filter(({ image }) => {
      const missing = basesOf(image).filter((tag) => !there.has(tag));
      if (missing.some((tag) => under.has(tag))) return false;
      for (const tag of missing) under.add(tag);
      return true;
    });
    for (const tag of under) there.add(tag);
    left = left.filter((each) => !wave.includes(each));
    found.push(wave);
  }
  return found;
}

/** Each worker takes the next image. One that fails ends the generator, so that the others only finish what they have. */
async function together(wave: readonly Published[], work: (image: Published) => Promise<void>): Promise<void> {
  const queue = (function* () {
    yield* wave;
  })();
  const worker = async (): Promise<void> => {
    for (const each of queue) await work(each);
  };
  const ended = await Promise.allSettled(Array.from({ length: parallel }, worker));
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}

function basesOf(image: Image): string[] {
  return image.kind === "base" ? [] : [image.base.tag, ...basesOf(image.base)];
}

function nameOf({ repository, version }: Published): string {
  return `${repository}:${version}`;
}

/** Whether the registry has this content under this name. */
async function isThere(
  registry: { port: number; ca: string },
  image: Published,
  known: Pushed | undefined,
): Promise<boolean> {
  if (known?.tag !== image.image.tag) return false;
  const url = `https://127.0.0.1:${registry.port}/v2/${image.repository}/manifests/${image.version}`;
  const { status, headers } = await get(url, { method: "HEAD", ca: registry.ca, headers: { Accept: manifestTypes } });
  return status === 200 && headers["docker-content-digest"] === known.digest;
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
