import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { arch, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";

const run = promisify(execFile);

/** Where the registry listens inside the swarm's network namespace; Docker trusts 127.0.0.0/8 without TLS. */
export const registryPort = 5000;
/** The same images for those who know the password. */
export const privateRegistryPort = 5001;

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";

/**
 * Writes an image with a shell, `sleep` and `cat` of this machine to a registry directory and returns its reference
 * with tag and digest. Needs no network and no build.
 */
export async function writeTinyImage(
  registry: string,
  name: string,
  tag: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const layer = await layerOf(files);
  const compressed = gzipSync(layer);
  const architecture = arch() === "x64" ? "amd64" : arch();
  const config = Buffer.from(
    JSON.stringify({
      architecture,
      os: "linux",
      config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: [digest(layer)] },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: descriptor("application/vnd.docker.container.image.v1+json", config),
      layers: [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", compressed)],
    }),
  );
  await mkdir(join(registry, name), { recursive: true });
  for (const blob of [config, compressed, manifest]) await writeFile(join(registry, name, digest(blob)), blob);
  await writeFile(join(registry, name, tag), manifest);
  return `127.0.0.1:${registryPort}/${name}:${tag}@${digest(manifest)}`;
}

async function layerOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const root = await mkdtemp(join(tmpdir(), "berth-image-"));
  try {
    for (const program of ["sh", "sleep", "cat"]) {
      await put(`/bin/${program}`, root, `/bin/${program}`);
      for (const library of await libraries(`/bin/${program}`)) await put(library, root, library);
    }
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), content);
    }
    // The same files give the same digest, on every run.
    const sorted = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"];
    const { stdout } = await run("tar", [...sorted, "-C", root, "-cf", "-", "."], {
      encoding: "buffer",
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function put(source: string, root: string, target: string): Promise<void> {
  await mkdir(dirname(join(root, target)), { recursive: true });
  await copyFile(await realpath(source), join(root, target));
}

async function libraries(program: string): Promise<string[]> {
  const { stdout } = await run("ldd", [program]);
  return [...stdout.matchAll(/(?:^|\s)(\/\S+) \(/g)].map((match) => match[1]!);
}

function descriptor(mediaType: string, blob: Buffer): { mediaType: string; size: number; digest: string } {
  return { mediaType, size: blob.length, digest: digest(blob) };
}

function digest(blob: Buffer): string {
  return `sha256:${createHash("sha256").update(blob).digest("hex")}`;
}
