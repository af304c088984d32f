import { execFile } from "node:child_process";
import { managersOf, type Host } from "../../components/config/host.ts";
import { CommandConnection } from "../../components/fleet/dial-stdio.ts";
import { sshDirectory } from "../../components/fleet/ssh.render.ts";
import { sshCommand } from "../../components/fleet/ssh.ts";
import {
  clientCertificateEnds,
  failedAttempts,
  metricsFile,
  siteCertificate,
  type FailedAttempt,
} from "../certificates.ts";
import { deepProblems, readDeep, type DeepStatus } from "../deep.ts";
import {
  assessHardening,
  containerExceptions,
  declaredExceptions,
  edgeExceptions,
  serviceExceptions,
  type HardeningStatus,
  type RawInspection,
} from "../hardening.ts";
import { dockerThroughSsh, ensureSshFiles, hostsOf, type DockerHost } from "../hosts.ts";
import { stackOutputs, type StackRef } from "../pulumi.ts";
import { imagePins, isRecord, readStackFile, textValue } from "../stack-file.ts";
import {
  assessCertificate,
  assessEdge,
  assessHost,
  assessSchedule,
  assessService,
  clientCertificateProblems,
  edgeName,
  newestGeneration,
  shortRef,
  type CertificateStatus,
  type HostInfo,
  type HostStatus,
  type RawConfig,
  type RawContainer,
  type RawNode,
  type RawService,
  type RawTask,
  type ScheduleStatus,
  type ServiceStatus,
  type Swarm,
} from "../status.assess.ts";
import { scheduleLabel } from "../../components/service/schedule.render.ts";
import { imageKeys, systemDocument } from "../system.ts";
import { moment, table } from "../table.ts";
import { exitCodes, stackOptions, stackOptionsHelp, text, usageError, type Context, type Verb } from "../verb.ts";

/** A machine that does not answer must not keep the others' answers back for long. */
const timeoutMs = 10_000;

export const verb: Verb = {
  usage: "<stack> [--deep] [--days N] [--json]",
  help: [
    "Asks hosts, swarm and edge what is really there and compares it with the stack file: hosts (reachable, engine,",
    "swarm), services (wanted and running tasks, live digest against the pin), where one is less confined than all are",
    "by default, certificates per site, release number.",
    "Changes nothing. A machine that does not answer is reported as such.",
    "",
    "Exit code 3 when something is not as pinned, not running, not reachable, a certificate is about to expire,",
    "or a schedule's last run failed or is missing.",
    "",
    "  --deep    reads every setting that berth manages on the hosts as well, and names each that differs",
    "  --days N  names certificates with fewer days left; by default those of whose lifetime less than 15 %, and at most",
    "            30 days, are left",
    "  --json    for programs; use `npm run --silent`",
    stackOptionsHelp,
  ].join("\n"),
  options: { ...stackOptions, days: { type: "string" }, deep: { type: "boolean" }, json: { type: "boolean" } },
  positionals: { min: 1, max: 1 },
  async run(context, [stack = ""], flags) {
    const ref = { root: context.root, stack, configFile: text(flags, "config-file") };
    const withinDays = readDays(text(flags, "days"));
    const status = await readStatus(ref, { deep: flags["deep"] === true, withinDays });
    if (flags["json"] === true) context.print(JSON.stringify(status, null, 2));
    else render(context, status);
    return status.asPinned ? exitCodes.done : exitCodes.notAsPinned;
  },
};

function readDays(days: string | undefined): number | undefined {
  if (days === undefined || /^\d{1,4}$/.test(days)) return days === undefined ? undefined : Number(days);
  throw usageError(`berth status: --days: is not a number of days, got ${JSON.stringify(days)}; write for example 21`);
}

export interface Status {
  readonly stack: string;
  /** Number of the live release; `null` before the first one. */
  readonly release: number | null;
  readonly asPinned: boolean;
  readonly hosts: readonly HostStatus[];
  readonly services: readonly ServiceStatus[];
  readonly schedules: readonly ScheduleStatus[];
  /** Services that are less confined than all of them are by default. */
  readonly hardening: readonly HardeningStatus[];
  readonly certificates: readonly CertificateStatus[];
  /** What differs on the hosts; only when it was asked for. */
  readonly deep?: readonly DeepStatus[];
  /** Everything that is not as it should be, in words. */
  readonly problems: readonly string[];
}

export async function readStatus(
  ref: StackRef,
  { deep = false, withinDays }: { readonly deep?: boolean; readonly withinDays?: number | undefined } = {},
): Promise<Status> {
  const file = readStackFile(ref);
  const pins = imagePins(file);
  const hosts = await hostsOf(file);
  const [outputs, keys, system] = await Promise.all([
    stackOutputs(ref),
    imageKeys(ref.root, textValue(file, "system")),
    systemDocument(ref.root, textValue(file, "system")),
    ensureSshFiles(ref, file, hosts),
  ]);
  const edgeHosts = hosts.filter((host) => host.labels["edge"] === "true");
  const sites = Array.isArray(outputs["sites"]) ? outputs["sites"].filter((site) => typeof site === "string") : [];
  const docker = hosts.map((host) => dockerThroughSsh(ref, host.name, timeoutMs));
  try {
    const [infos, swarm, edges, generations, certificates, settings, attempts] = await Promise.all([
      Promise.all(hosts.map(async (_, index) => seen(hostInfo(docker[index])))),
      seen(Promise.any(managersOf(hosts).map(async (host) => readSwarm(docker[hosts.indexOf(host)])))),
      Promise.all(edgeHosts.map(async (host) => seen(edgeContainers(docker[hosts.indexOf(host)])))),
      Promise.all(edgeHosts.map(async (host) => seen(edgeGeneration(docker[hosts.indexOf(host)])))),
      Promise.all(
        edgeHosts.flatMap((host) => sites.map(async (site) => certificateStatus(ref, host, site, withinDays))),
      ),
      deep ? readDeep(ref, file, hosts) : undefined,
      Promise.all(edgeHosts.map(async (host) => hostAttempts(ref, host, textValue(file, "system")))),
    ]);
    const answered = swarm instanceof Error ? undefined : swarm;
    const hostStates = hosts.map((host, index) =>
      assessHost(host, infos[index] ?? new Error("was not asked"), answered?.nodes),
    );
    const services = [
      ...Object.entries(servicesOf(outputs)).map(([name, service]) =>
        assessService(name, service, pins[keys[name] ?? ""], answered),
      ),
      ...(sites.length > 0 ? [assessEdge(pins[keys["edge"] ?? ""], edges)] : []),
    ];
    const schedules = Object.entries(schedulesOf(outputs)).map(([name, schedule]) =>
      assessSchedule(name, schedule, answered, Date.now()),
    );
    const declared = declaredExceptions(system);
    const hardening = [
      ...Object.entries(servicesOf(outputs)).flatMap(([name, service]) => {
        const found = answered?.services.find(({ Spec }) => Spec.Name === service)?.Spec.TaskTemplate;
        return found ? [assessHardening(name, serviceExceptions(found), declared[name] ?? [])] : [];
      }),
      // What runs to its end is there only meanwhile.
      ...Object.entries(declared).flatMap(([name, said]) =>
        name in servicesOf(outputs) ? [] : [assessHardening(name, said, said)],
      ),
      ...edgeHardening(generations),
    ];
    const release = typeof outputs["release"] === "number" ? outputs["release"] : null;
    const problems = [
      ...(release === null ? [`stack ${ref.stack}: nothing was released yet; run \`pulumi up\``] : []),
      ...hostStates.flatMap(({ name, problem }) => (problem === null ? [] : [`host ${name}: ${problem}`])),
      ...services.flatMap(({ name, problem }) => (problem === null ? [] : [`service ${name}: ${problem}`])),
      ...hardening.flatMap(({ service, problem }) => (problem === null ? [] : [`service ${service}: ${problem}`])),
      ...schedules.flatMap(({ name, problem }) => (problem === null ? [] : [`schedule ${name}: ${problem}`])),
      ...certificates.flatMap(({ site, problem }) => (problem === null ? [] : [`certificate of ${site}: ${problem}`])),
      ...clientCertificateProblems(clientCertificateEnds(file.values["cloudflare"]), Date.now(), withinDays),
      ...(settings ?? []).flatMap(deepProblems),
      ...attempts.flat(),
    ];
    return {
      stack: ref.stack,
      release,
      asPinned: problems.length === 0,
      hosts: hostStates,
      services,
      schedules,
      hardening: hardening.filter(({ exceptions }) => exceptions.length > 0),
      certificates,
      ...(settings && { deep: settings }),
      problems,
    };
  } finally {
    for (const host of docker) host.close();
  }
}

async function hostInfo(docker: DockerHost | undefined): Promise<HostInfo> {
  return (await docker?.get("/info")) as HostInfo;
}

async function readSwarm(manager: DockerHost | undefined): Promise<Swarm> {
  const running = encodeURIComponent(JSON.stringify({ "desired-state": ["running"] }));
  const kept = encodeURIComponent(JSON.stringify({ label: [scheduleLabel] }));
  const [services, tasks, nodes, configs] = await Promise.all([
    manager?.get("/services"),
    manager?.get(`/tasks?filters=${running}`),
    manager?.get("/nodes"),
    manager?.get(`/configs?filters=${kept}`),
  ]);
  return {
    services: services as RawService[],
    tasks: tasks as RawTask[],
    nodes: nodes as RawNode[],
    configs: configs as RawConfig[],
  };
}

async function edgeContainers(docker: DockerHost | undefined): Promise<RawContainer[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`berth.edge=${edgeName}`], status: ["running"] }));
  return (await docker?.get(`/containers/json?filters=${filters}`)) as RawContainer[];
}

/** How the newest generation of the edge is confined; nothing where there is none. */
async function edgeGeneration(docker: DockerHost | undefined): Promise<RawInspection | undefined> {
  const newest = newestGeneration(await edgeContainers(docker));
  return newest && ((await docker?.get(`/containers/${newest.name}/json`)) as RawInspection);
}

/** Each answer once: it is the same on all hosts, or one of them differs. */
function edgeHardening(generations: readonly (RawInspection | Error | undefined)[]): HardeningStatus[] {
  const known = generations.flatMap((one) => (one instanceof Error || !one ? [] : [containerExceptions(one)]));
  const distinct = new Map(known.map((exceptions) => [exceptions.join(), exceptions]));
  return [...distinct.values()].map((exceptions) => assessHardening("edge", exceptions, edgeExceptions));
}

/** Asked from the host itself: its firewall may let only a proxy in, and its ports may be mapped on the way. */
async function certificateStatus(
  { root, stack }: StackRef,
  host: Host,
  site: string,
  withinDays: number | undefined,
): Promise<CertificateStatus> {
  const config = `${sshDirectory(stack)}/ssh_config`;
  const argv: [string, ...string[]] = ["ssh", "-F", config, "-W", "127.0.0.1:443", host.name];
  const connection = new CommandConnection(argv, root, (said) => said);
  const certificate = await seen(siteCertificate(connection, site, timeoutMs));
  return assessCertificate(site, host.name, certificate, Date.now(), withinDays);
}

/** Problems that visitors do not see yet. A host that does not answer is reported elsewhere. */
async function hostAttempts({ root, stack }: StackRef, host: Host, system: string): Promise<string[]> {
  const [program = "", ...args] = sshCommand(stack, host.name, ["cat", metricsFile]);
  const failed = await new Promise<FailedAttempt[]>((resolve) => {
    execFile(program, args, { cwd: root, timeout: timeoutMs }, (error, stdout) => {
      resolve(error ? [] : failedAttempts(stdout, system));
    });
  });
  return failed.map(
    ({ certificate, at }) =>
      `certificate ${certificate} on ${host.name}: getting or renewing it failed at ${moment(at)}`,
  );
}

/** A failure is an answer here: it is shown beside what did answer. */
async function seen<T>(asked: Promise<T>): Promise<T | Error> {
  try {
    return await asked;
  } catch (error) {
    return error as Error;
  }
}

/** Docker service names by workload, from the stack output. */
function servicesOf(outputs: Readonly<Record<string, unknown>>): Record<string, string> {
  const services = isRecord(outputs["services"]) ? outputs["services"] : {};
  return Object.fromEntries(
    Object.entries(services).flatMap(([name, value]) =>
      isRecord(value) && typeof value["service"] === "string" ? [[name, value["service"]]] : [],
    ),
  );
}

/** Physical names of schedules, from the stack output. */
function schedulesOf(outputs: Readonly<Record<string, unknown>>): Record<string, string> {
  const schedules = isRecord(outputs["schedules"]) ? outputs["schedules"] : {};
  return Object.fromEntries(
    Object.entries(schedules).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  );
}

/** The answer for people: a table of each kind of thing there is, then what is wrong. */
export function render(
  { print }: Pick<Context, "print">,
  { stack, release, hosts, services, schedules, hardening, certificates, problems }: Status,
): void {
  print(`stack ${stack}: release ${release ?? "none yet"}\n`);
  print(
    table(
      ["host", "address", "reachable", "engine", "swarm"],
      hosts.map((host) => [host.name, host.address, yesNo(host.reachable), host.engine ?? "–", host.swarm ?? "–"]),
    ),
  );
  if (services.length > 0) {
    const rows = services.map(({ name, wanted, running, pinned, live, asPinned }) => [
      name,
      `${running ?? "?"}/${wanted ?? "?"}`,
      pinned === null ? "–" : shortRef(pinned),
      live.length === 0 ? "–" : live.map(shortRef).join(" "),
      yesNo(asPinned),
    ]);
    print(`\n${table(["service", "running", "pinned", "live", "as pinned"], rows)}`);
  }
  if (hardening.length > 0) {
    const rows = hardening.map(({ service, exceptions }) => [service, exceptions.join("; ")]);
    print(`\n${table(["service", "exceptions from the hardening"], rows)}`);
  }
  if (schedules.length > 0) {
    const rows = schedules.map(({ name, times, lastRun, result }) => [
      name,
      times ?? "–",
      lastRun ?? "–",
      result?.split(":")[0] ?? "–",
    ]);
    print(`\n${table(["schedule", "times", "last run", "result"], rows)}`);
  }
  if (certificates.length > 0) {
    const rows = certificates.map(({ site, host, expires, daysLeft, issuer }) => [
      site,
      host,
      expires?.slice(0, 10) ?? "–",
      daysLeft === null ? "–" : String(daysLeft),
      issuer ?? "–",
    ]);
    print(`\n${table(["site", "host", "expires", "days left", "issuer"], rows)}`);
  }
  print(
    problems.length === 0 ? "\neverything is as pinned" : `\n${problems.map((problem) => `✖ ${problem}`).join("\n")}`,
  );
}

function yesNo(value: boolean): string {
  return value ? "yes" : "no";
}
