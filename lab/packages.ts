import { isInstalled, run } from "./run.ts";

/** Programs that the lab and the tests run on this machine, with the Debian packages that bring them. */
const packages = {
  dockerd: ["docker.io", "iptables"],
  mmdebstrap: ["mmdebstrap", "debian-archive-keyring"],
  openssl: ["openssl"],
  shellcheck: ["shellcheck"],
  ssh: ["openssh-client"],
} as const;

export type Program = keyof typeof packages;

/** Installs what is missing from the distribution's packages; says so first. */
export async function ensurePrograms(programs: readonly Program[], report: (step: string) => void): Promise<void> {
  const present = await Promise.all(programs.map(isInstalled));
  const missing = programs.filter((_, index) => !present[index]).flatMap((program) => packages[program]);
  if (missing.length === 0) return;
  const line = `apt-get install --no-install-recommends ${missing.join(" ")}`;
  if (!(await isInstalled("apt-get")))
    throw new Error(`${programs.join(", ")}: not all on PATH and there is no apt-get; install ${missing.join(", ")}`);
  if (process.getuid?.() !== 0)
    throw new Error(`${missing.join(", ")}: not installed, and installing needs root; run \`sudo ${line}\` once`);
  report(`installing ${missing.join(", ")} from the distribution's packages`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // An earlier installation may have been interrupted half-way; apt refuses to go on by itself.
  await run(["dpkg", "--configure", "-a"], { env });
  // Nor does it wait by itself for another one that is at work.
  const patient = ["-q", "-o", "DPkg::Lock::Timeout=300"];
  await run(["apt-get", "update", ...patient], { env });
  await run(["apt-get", "install", "-y", ...patient, "--no-install-recommends", ...missing], { env });
}
