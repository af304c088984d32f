import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import type { SystemInput } from "../../../components/config/system.ts";
import { PulumiProject } from "../pulumi.ts";
import { sampleHostKey } from "../sample-config.ts";
import { writeFilledIn } from "../filled-in.ts";
import { stackFileOf, type Environment } from "../systems.ts";

/*
 * How long a preview takes with how many services: the whole program with a system made for it, by the real CLI, without
 * a host. What a service costs is the slope.
 */

const root = join(import.meta.dirname, "../../..");
const name = "crowd";
const dependencies = ["@pulumi/cloudflare", "@pulumi/command", "@pulumi/docker", "@pulumi/random"];
const programAt = (directory: string): string => `await import(${JSON.stringify(join(directory, "index.ts"))});`;

/** Seconds of a preview with each number of services, told once for each run. */
export async function timePreviews(
  counts: readonly number[],
  runs: number,
  told: (seconds: readonly number[]) => void,
): Promise<void> {
  const copy = await mkdtemp(join(tmpdir(), "berth-bench-"));
  const project = await PulumiProject.create({ program: programAt(copy), dependencies });
  try {
    await copyProgram(copy);
    await writeStackFile(project);
    for (let run = 0; run < runs; run++) {
      const seconds: number[] = [];
      for (const count of counts) {
        const system = JSON.stringify(systemOf(count));
        await writeFile(join(copy, "systems", name, "system.ts"), `export default ${system};\n`);
        seconds.push(await timed(project));
      }
      told(seconds);
    }
  } finally {
    await project.remove();
    await rm(copy, { recursive: true });
  }
}

/** Seconds of a preview of a system of the repository, once for each run. */
export async function timeSystem(
  system: string,
  environment: Environment,
  runs: number,
  told: (seconds: number) => void,
): Promise<void> {
  const project = await PulumiProject.create({
    program: programAt(root),
    dependencies,
    // Nobody listens there: a preview has nothing to ask.
    env: { CLOUDFLARE_BASE_URL: "http://127.0.0.1:9" },
  });
  try {
    await writeFilledIn(project, stackFileOf(system, environment));
    for (let run = 0; run < runs; run++) told(await timed(project));
  } finally {
    await project.remove();
  }
}

async function timed(project: PulumiProject): Promise<number> {
  const started = performance.now();
  const { code, stdout, stderr } = await project.run("preview");
  if (code !== 0) throw new Error(`a preview ended with ${code}:\n${stdout}${stderr}`);
  return (performance.now() - started) / 1000;
}

/** The program looks for systems beside itself, and this one is not for the repository. */
async function copyProgram(copy: string): Promise<void> {
  await writeFile(join(copy, "package.json"), '{ "type": "module" }\n');
  await cp(join(root, "index.ts"), join(copy, "index.ts"));
  await cp(join(root, "components"), join(copy, "components"), { recursive: true });
  await symlink(join(root, "node_modules"), join(copy, "node_modules"));
  await mkdir(join(copy, "systems", name), { recursive: true });
}

function systemOf(count: number): SystemInput {
  const service = {
    kind: "web",
    image: "app",
    port: 80,
    networks: ["edge"],
    resources: { memory: "64 MB" },
    secrets: ["KEY"],
    health: { path: "/" },
  } as const;
  return {
    name,
    networks: { edge: {} },
    services: Object.fromEntries(Array.from({ length: count }, (_, index) => [`app-${index + 1}`, service])),
    secrets: { KEY: { kind: "generated" } },
    edge: { sites: [{ host: "${domain}", routes: [{ path: "/", service: "app-1" }] }] },
  };
}

async function writeStackFile(project: PulumiProject): Promise<void> {
  const digest = `sha256:${"0".repeat(64)}`;
  const values = {
    system: name,
    environment: "staging",
    domain: "crowd.test",
    hosts: [{ name: "vm-1", address: "198.18.0.1", hostKey: sampleHostKey, labels: { edge: "true" } }],
    registry: { address: "registry.test" },
    images: { app: `registry.test/app:1@${digest}`, edge: `registry.test/edge:1@${digest}` },
    acme: { email: "bench@crowd.test", agreeToTerms: true },
    cloudflare: "none",
  };
  const config = Object.fromEntries(Object.entries(values).map(([key, value]) => [`berth:${key}`, value]));
  await project.write(`Pulumi.${project.stack}.yaml`, stringify({ config }));
}
