import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hash } from "./docker.ts";
import { ensureGo } from "./go.ts";
import { run } from "./run.ts";
import { exists } from "./state.ts";

/** A program that is compiled from its Go module, since no package brings it. */
export interface Program {
  readonly name: string;
  readonly module: string;
  readonly version: string;
  /** Package of the module with its `main`. */
  readonly package: string;
  /** Files that its makers generate before they build, by path in the module. */
  readonly generated: Readonly<Record<string, string>>;
}

/** Path of the program, which is compiled into the cache at its first use: some minutes, once. */
export async function ensureProgram(cache: string, program: Program, report: (step: string) => void): Promise<string> {
  const path = join(cache, "programs", `${program.name}-${program.version}-${hash(program.generated)}`);
  if (await exists(path)) return path;
  report(`compiling ${program.name} ${program.version} from its Go module, some minutes, once`);
  const env = { ...(await ensureGo(cache, report)), CGO_ENABLED: "0" };
  const workshop = `${path}.build-${process.pid}`;
  await mkdir(workshop, { recursive: true });
  try {
    const { module: name, version } = program;
    const goMod = `module program\n\ngo 1.24\n\nrequire ${name} ${version}\n`;
    await writeFile(join(workshop, "go.mod"), goMod);
    const described = await run(["go", "mod", "download", "-json", `${name}@${version}`], { cwd: workshop, env });
    // What Go keeps is read-only, and it lets nobody lay files over it.
    const { Dir } = JSON.parse(described) as { readonly Dir: string };
    const source = join(workshop, "source");
    await run(["cp", "-R", Dir, source]);
    await run(["chmod", "-R", "u+w", source]);
    for (const [file, text] of Object.entries(program.generated)) await writeFile(join(source, file), text);
    await writeFile(join(workshop, "go.mod"), `${goMod}\nreplace ${name} => ./source\n`);
    const next = join(workshop, program.name);
    const flags = ["-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", next];
    await run(["go", "build", ...flags, `${name}/${program.package}`], { cwd: workshop, env });
    await mkdir(dirname(path), { recursive: true });
    await rename(next, path);
  } finally {
    await rm(workshop, { recursive: true, force: true });
  }
  return path;
}
