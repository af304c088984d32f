import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import Docker from "dockerode";
import { ensureImages } from "./build.ts";
import { ensureDocker } from "./daemon.ts";
import { ensureNetwork, objectName, removePart } from "./docker.ts";
import { ensureEngine, type Engine } from "./engine.ts";
import { exportsFile, labEnvironment, processEnvironment, renderExports } from "./environment.ts";
import { ensureHosts, ensureSshKey, type LabHost } from "./hosts.ts";
import { get, until } from "./http.ts";
import { labImages } from "./images.ts";
import { ensurePrograms } from "./packages.ts";
import { ensureParts, type Parts } from "./parts.ts";
import type { Progress } from "./progress.ts";
import { clearStaleLock, pulumiUp } from "./pulumi.ts";
import { ensurePushed } from "./registry.ts";
import { configFileArgs, type Lab } from "./settings.ts";
import { dropState, ensureStack } from "./stack.ts";
import { example } from "./stack-file.ts";
import { labSystem, type LabSystem } from "./systems.ts";
import { isPortTaken, readIfThere, writeFileAtomic } from "./state.ts";

/** Everything a `pulumi up` needs is there. */
export interface PreparedLab {
  readonly lab: Lab;
  readonly system: LabSystem;
  readonly engine: Engine;
  readonly hosts: readonly LabHost[];
  readonly parts: Parts;
  /** As `env` prints it; PATH holds only what goes in front. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What labs need and none owns: a daemon, the engine, the images. All of it is kept for the next one. */
export async function build(lab: Lab, systems: readonly LabSystem[], progress: Progress) {
  const docker = await progress.phase("docker", async (report) => {
    const daemon = await ensureDocker(lab.cache, report);
    await ensurePrograms(["mmdebstrap", "openssl", "ssh"], report);
    return daemon;
  });
  const images = labImages(lab.root, systems);
  const hosts = lab.prepared === true ? [images.host, images.prepared] : [images.host];
  const wanted = [images.base, ...hosts, images.parts, ...images.published.map(({ image }) => image)];
  const [engine] = await Promise.all([
    progress.phase("engine", (report) => ensureEngine(lab, report)),
    progress.phase("images", (report) => ensureImages(docker, lab.cache, wanted, report)),
  ]);
  return { docker, images, engine };
}

/** Brings up everything around berth: engine, images, parts, empty hosts, the stack file. */
export async function prepare(lab: Lab, progress: Progress): Promise<PreparedLab> {
  const system = await labSystem(lab.root, lab.system);
  await checkPorts(lab);
  const { docker, images, engine } = await build(lab, [system], progress);
  const { hosts, parts } = await progress.phase("hosts and parts", async (report) => {
    const prefix = await ensureNetwork(docker, lab);
    const hosts = await ensureHosts(docker, lab, images, system.hosts, prefix, report);
    await forgetEarlierHosts(docker, lab, hosts, report);
    return { hosts, parts: await ensureParts(docker, lab, images, prefix, report) };
  });
  const registry = { port: parts.registryPort, ca: parts.ca };
  const pushed = await progress.phase("push", (report) =>
    ensurePushed(docker, lab, registry, images.published, report),
  );
  const environment = labEnvironment({ lab, engine, cloudflare: parts.cloudflare });
  await progress.phase("stack", async (report) => {
    const env = processEnvironment(environment);
    const facts = {
      lab,
      system,
      hosts,
      cores: availableParallelism(),
      images: pushed,
      ca: parts.ca,
      zoneId: parts.cloudflare.zoneId,
    };
    await ensureStack(lab, env, facts, await ensureSshKey(lab, report), report);
    await clearStaleLock(lab, env, report);
    await writeFileAtomic(exportsFile(lab), renderExports(environment), 0o600);
  });
  return { lab, system, engine, hosts, parts, environment };
}

/** `npm run lab`: prepares, runs `pulumi up`, asks the result for its version and tells what to do next. */
export async function up(lab: Lab, progress: Progress): Promise<void> {
  const prepared = await prepare(lab, progress);
  for (const line of prepared.engine.summary) progress.say(`  ${line}`);
  await progress.phase("pulumi up", () => pulumiUp(lab, processEnvironment(prepared.environment)));
  const version = await progress.phase("check", () => until("edge", () => askVersion(prepared)));
  progress.say(renderSummary(prepared, version, progress.phases));
}

async function askVersion({ lab, system, parts }: PreparedLab): Promise<string> {
  const { host, path } = questionFor(lab, system);
  const url = `https://127.0.0.1:${lab.httpsPort}${path}`;
  const answer = await get(url, { ca: parts.acmeRoots, servername: host, headers: { Host: host } });
  if (answer.status !== 200) throw new Error(`${url}: answers ${answer.status}`);
  return answer.body;
}

function questionFor(lab: Pick<Lab, "domain">, { question }: Pick<LabSystem, "question">) {
  return { ...question, host: question.host.replaceAll("${domain}", lab.domain) };
}

export function renderSummary(
  { lab, system, engine, hosts }: Pick<PreparedLab, "lab" | "system" | "engine" | "hosts">,
  version: string,
  phases: readonly { readonly title: string; readonly seconds: number }[],
): string {
  const { host, path } = questionFor(lab, system);
  const site = `https://${host}:${lab.httpsPort}`;
  const root = relative(lab.root, join(lab.directory, "acme-root.pem"));
  const named = lab.name === "local" ? "" : ` --name ${lab.name}`;
  const option = `${lab.stack === lab.name ? "" : ` --system ${lab.system}`}${named}`;
  const file = ["", ...configFileArgs(lab)].join(" ");
  const image = example(system);
  const pin = (version: string) => `npm run berth -- pin ${lab.stack} ${image}=${version}${file} && pulumi up${file}`;
  return `
${site}/ runs ${system.name} ${version}
  curl --cacert ${root} --resolve ${host}:${lab.httpsPort}:127.0.0.1 ${site}${path}
${hosts.length > 1 ? `  the same from ${hosts.map(({ name, httpsPort }) => `${name}: port ${httpsPort}`).join(", ")}\n` : ""}
${engine.summary.join("\n")}
${phases.map(({ title, seconds }) => `${title} ${seconds.toFixed(1)} s`).join(", ")}

To work on it: eval "$(npm run -s lab -- env${option})", then for example
  change a pin      ${pin("1.1.0")}
  break a deploy    ${pin("1.2.0-broken")}
  roll back         npm run berth -- rollback ${lab.stack}${file}
To remove it: npm run lab:down${named === "" ? "" : ` --${named}`}`;
}

/** Refuses ports that someone else has, before anything is started. */
async function checkPorts(lab: Lab): Promise<void> {
  const taken = await Promise.all(
    (
      [
        ["LAB_HTTP_PORT", lab.httpPort],
        ["LAB_HTTPS_PORT", lab.httpsPort],
      ] as const
    ).map(async ([variable, port]) => ((await isPortTaken(port)) ? { variable, port } : undefined)),
  );
  const foreign = taken.filter((each) => each !== undefined);
  if (foreign.length === 0 || (await hostRuns(lab))) return;
  throw new Error(
    foreign
      .map(
        ({ variable, port }) =>
          `127.0.0.1:${port}: another program listens there; stop it (ss -ltnp 'sport = :${port}' names it) ` +
          `or choose another port: ${variable}=${port + 1000} npm run lab`,
      )
      .join("\n"),
  );
}

async function hostRuns(lab: Lab): Promise<boolean> {
  try {
    return (await new Docker().getContainer(objectName(lab, "host1")).inspect()).State.Running;
  } catch {
    // No such container, or no daemon that could have one: either way the port is not this lab's.
    return false;
  }
}

/** State is about certain machines; it is dropped when they are others, before it can mislead Pulumi. */
async function forgetEarlierHosts(
  docker: Docker,
  lab: Lab,
  hosts: readonly LabHost[],
  report: (step: string) => void,
): Promise<void> {
  const path = join(lab.directory, "host-ids");
  const ids = hosts.map(({ id }) => `${id}\n`).join("");
  const known = await readIfThere(path);
  if (known === ids) return;
  // Hosts that come to it are no reason.
  const gone = known?.split("\n").some((id) => !ids.includes(id));
  if (gone === true && (await dropState(lab))) {
    // The records of the earlier state would be in the way of the new ones.
    await removePart(docker, lab, "cloudflare");
    report("a host is a new one: the state of the earlier ones, and their DNS records, are dropped");
  }
  await writeFileAtomic(path, ids);
}
