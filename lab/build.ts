import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type Docker from "dockerode";
import { isStatus } from "./docker.ts";
import { bootstrapCommand, type BaseImage, type BuiltImage, type Image } from "./images.ts";
import { isAlive } from "./lock.ts";
import { ensureProgram } from "./programs.ts";
import { run } from "./run.ts";

/** Two at a time: package installation is one process that waits for the disk now and then. */
const parallel = 2;

/** Builds what is not there yet, bases first, independent images side by side. */
export async function ensureImages(
  docker: Docker,
  cache: string,
  images: readonly Image[],
  report: (step: string) => void,
): Promise<void> {
  const started = new Map<string, Promise<void>>();
  const slots = new Slots(parallel);
  const ensure = (image: Image): Promise<void> => {
    const known = started.get(image.tag);
    if (known) return known;
    const work = (async () => {
      if (await isThere(docker, image.tag)) return;
      if (image.kind === "built") await ensure(image.base);
      await slots.use(async () => {
        report(`building ${describe(image)}`);
        await (image.kind === "base" ? bootstrap(docker, cache, image) : build(docker, cache, image, report));
      });
    })();
    started.set(image.tag, work);
    return work;
  };
  await Promise.all(images.map(ensure));
}

function describe(image: Image): string {
  if (image.kind === "base") return `${image.name} (Debian ${image.suite} from its packages)`;
  const version = image.args["VERSION"];
  return version === undefined ? image.name : `${image.name} ${version}`;
}

async function isThere(docker: Docker, tag: string): Promise<boolean> {
  try {
    await docker.getImage(tag).inspect();
    return true;
  } catch (error) {
    if (isStatus(error, 404)) return false;
    throw error;
  }
}

async function bootstrap(docker: Docker, cache: string, image: BaseImage) {
  await inScratch(cache, async (scratch) => {
    const archive = join(scratch, "root.tar");
    await run(bootstrapCommand(image.suite, archive));
    const [repo, tag] = image.tag.split(":") as [string, string];
    await finished(docker, await docker.importImage(archive, { repo, tag }));
  });
}

async function build(docker: Docker, cache: string, image: BuiltImage, report: (step: string) => void) {
  const programs = await Promise.all(image.programs.map((program) => ensureProgram(cache, program, report)));
  await inScratch(cache, async (context) => {
    for (const [path, text] of Object.entries(image.files)) {
      const file = join(context, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
      await chmod(file, text.startsWith("#!") ? 0o755 : 0o644);
    }
    for (const [index, { name }] of image.programs.entries()) {
      await copyFile(programs[index] ?? "", join(context, name));
    }
    const stream = await docker.buildImage(
      { context, src: [...Object.keys(image.files), ...image.programs.map(({ name }) => name)] },
      // The host's network: where packages can be fetched from here, they can be from there.
      { t: image.tag, buildargs: { BASE: image.base.tag, ...image.args }, networkmode: "host", forcerm: true },
    );
    await finished(docker, stream, image.name);
  });
}

/** Follows the daemon's report of a build, an import or a push; its failure is one of the lines. */
export async function finished(docker: Docker, stream: NodeJS.ReadableStream, what = ""): Promise<unknown[]> {
  const output: string[] = [];
  return await new Promise((resolve, reject) => {
    docker.modem.followProgress(
      stream,
      (error, lines: unknown[]) => {
        if (error) reject(new Error(`${what}: ${error.message}\n${output.join("").split("\n").slice(-30).join("\n")}`));
        else resolve(lines);
      },
      (line: { stream?: string }) => {
        output.push(line.stream ?? "");
      },
    );
  });
}

async function inScratch(cache: string, work: (directory: string) => Promise<void>): Promise<void> {
  await removeAbandoned(cache);
  const scratch = await mkdtemp(join(cache, `build-${process.pid}-`));
  try {
    await work(scratch);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What a run that was killed has left behind. */
async function removeAbandoned(cache: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  for (const entry of await readdir(cache)) {
    const [, pid] = /^build-(\d+)-/.exec(entry) ?? [];
    if (pid !== undefined && !isAlive(Number(pid))) await rm(join(cache, entry), { recursive: true, force: true });
  }
}

class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async use(work: () => Promise<void>): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
