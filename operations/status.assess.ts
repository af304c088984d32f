import { lateSeconds } from "../components/edge/alerts.render.ts";
import { hostLabel } from "../components/fleet/label.ts";
import { scheduleLabel } from "../components/service/schedule.render.ts";
import { lastDue, parseCron } from "../components/shared/cron.ts";
import { parseImageRef } from "../components/shared/image-ref.ts";
import type { ClientCertificateEnd, SiteCertificate } from "./certificates.ts";
import type { RawTaskTemplate } from "./hardening.ts";

/*
 * What is wanted against what was seen. Pure: `problem` says in words what an operator must know, and any problem
 * makes the status a bad one.
 */

export interface HostStatus {
  readonly name: string;
  readonly address: string;
  readonly reachable: boolean;
  /** Version of the Docker engine. */
  readonly engine: string | null;
  /** `manager`, `worker`, or why it is neither. */
  readonly swarm: string | null;
  readonly problem: string | null;
}

export interface ServiceStatus {
  readonly name: string;
  /** Name of the Docker service. */
  readonly service: string;
  readonly wanted: number | null;
  readonly running: number | null;
  /** Pin in the stack file. */
  readonly pinned: string | null;
  /** What the running tasks run. */
  readonly live: readonly string[];
  readonly asPinned: boolean;
  readonly problem: string | null;
}

export interface ScheduleStatus {
  readonly name: string;
  /** When it runs: five fields of cron and a time zone. */
  readonly times: string | null;
  /** When the last run that has ended began, as an ISO date. */
  readonly lastRun: string | null;
  /** `done` or `failed`, and why. */
  readonly result: string | null;
  readonly problem: string | null;
}

export interface CertificateStatus {
  readonly site: string;
  readonly host: string;
  readonly expires: string | null;
  readonly daysLeft: number | null;
  readonly issuer: string | null;
  readonly problem: string | null;
}

const dayMs = 24 * 60 * 60 * 1000;

/** What `GET /info` says about a host. */
export interface HostInfo {
  readonly ServerVersion?: string;
  readonly Swarm?: { readonly LocalNodeState?: string; readonly ControlAvailable?: boolean };
}

/** What a manager says about a host, as far as it counts here: an entry of `GET /nodes`. */
export interface RawNode {
  readonly Spec: {
    readonly Role: string;
    readonly Availability: string;
    readonly Labels?: Readonly<Record<string, string>>;
  };
  readonly Status: { readonly State: string };
}

/** A host as the stack file describes it. */
export interface WantedHost {
  readonly name: string;
  readonly address: string;
  readonly role: string;
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** @param nodes What the managers say; nothing when none of them answered */
export function assessHost(
  host: WantedHost,
  seen: HostInfo | Error,
  nodes: readonly RawNode[] | undefined,
): HostStatus {
  const { name, address } = host;
  if (seen instanceof Error) {
    return { name, address, reachable: false, engine: null, swarm: null, problem: seen.message };
  }
  const state = seen.Swarm?.LocalNodeState ?? "inactive";
  const swarm = state !== "active" ? state : seen.Swarm?.ControlAvailable === true ? "manager" : "worker";
  const problem = state === "active" ? nodeProblem(host, nodes) : `is not part of the swarm, its state is ${state}`;
  return { name, address, reachable: true, engine: seen.ServerVersion ?? null, swarm, problem };
}

function nodeProblem(host: WantedHost, nodes: readonly RawNode[] | undefined): string | null {
  if (!nodes) return null;
  const wanted = { ...host.labels, [hostLabel]: host.name };
  // A machine that was set up anew leaves its earlier node behind for a while.
  const own = nodes.filter(({ Spec }) => Spec.Labels?.[hostLabel] === host.name);
  const node = own.find(({ Status }) => Status.State === "ready") ?? own[0];
  if (!node) return "is not known to the swarm of the stack";
  const { Role, Availability, Labels } = node.Spec;
  const differs = (what: string, live: string, said: string) => `${what} ${live}, the stack file says ${said}`;
  if (node.Status.State !== "ready") return `the swarm finds it ${node.Status.State}`;
  if (Role !== host.role) return differs("is a", Role, host.role);
  if (Availability !== host.state) return differs("is", Availability, host.state);
  const labels = labelText(Labels ?? {});
  return labels === labelText(wanted) ? null : differs("has labels", labels, labelText(wanted));
}

function labelText(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .toSorted()
    .join(" ");
}

/** What the manager says about services and tasks, as far as it counts here. */
export interface Swarm {
  readonly services: readonly RawService[];
  readonly tasks: readonly RawTask[];
  readonly nodes: readonly RawNode[];
  /** Those that schedules keep. */
  readonly configs: readonly RawConfig[];
}

/** An entry of `GET /configs`. */
export interface RawConfig {
  readonly CreatedAt: string;
  readonly Spec: {
    readonly Name: string;
    readonly Labels?: Readonly<Record<string, string>>;
    /** In base64. */
    readonly Data?: string;
  };
}

export interface RawService {
  readonly ID: string;
  readonly Spec: {
    readonly Name: string;
    readonly Mode: { readonly Replicated?: { readonly Replicas?: number }; readonly Global?: object };
    readonly TaskTemplate?: RawTaskTemplate;
  };
}

export interface RawTask {
  readonly ServiceID: string;
  readonly DesiredState: string;
  readonly Status: { readonly State: string };
  readonly Spec: { readonly ContainerSpec?: { readonly Image: string } };
}

export function assessService(
  name: string,
  service: string,
  pinned: string | undefined,
  swarm: Swarm | undefined,
): ServiceStatus {
  const base = { name, service, pinned: pinned ?? null };
  if (!swarm) {
    const problem = "not known: no manager of the swarm answered";
    return { ...base, wanted: null, running: null, live: [], asPinned: false, problem };
  }
  const found = swarm.services.find(({ Spec }) => Spec.Name === service);
  if (!found) return { ...base, wanted: null, running: 0, live: [], asPinned: false, problem: "is not on the swarm" };

  const current = swarm.tasks.filter((task) => task.ServiceID === found.ID && task.DesiredState === "running");
  const running = current.filter(({ Status }) => Status.State === "running");
  const wanted = found.Spec.Mode.Replicated?.Replicas ?? current.length;
  const live = [...new Set(running.map(({ Spec }) => Spec.ContainerSpec?.Image ?? "unknown"))];
  const asPinned = pinned !== undefined && live.every((image) => sameImage(image, pinned));
  return { ...base, wanted, running: running.length, live, asPinned, problem: serviceProblem() };

  function serviceProblem(): string | null {
    if (pinned === undefined) return "the stack file pins no image for it";
    if (!asPinned) return `runs ${live.map(shortRef).join(" and ")} instead of ${shortRef(pinned)}`;
    if (running.length !== wanted) return `${running.length} of ${wanted} tasks run`;
    return null;
  }
}

/** A container as `GET /containers/json` lists it. */
export interface RawContainer {
  readonly Names: readonly string[];
  readonly Image: string;
}

/** Label of what belongs to the edge of a host, and the beginning of the names of its generations. */
export const edgeName = "berth-edge";

/** The generation of nginx that a host started last. */
export function newestGeneration(
  containers: readonly RawContainer[],
): { readonly name: string; readonly image: string } | undefined {
  const generations = containers.flatMap(({ Names, Image }) =>
    Names.flatMap((name) => {
      const number = /^\/berth-edge-(\d+)$/.exec(name)?.[1];
      return number === undefined ? [] : [{ number: Number(number), name: name.slice(1), image: Image }];
    }),
  );
  return generations.toSorted((a, b) => b.number - a.number)[0];
}

/**
 * The edge on its hosts, one nginx on each. An older generation may still serve its last visitors beside the newest
 * one; the pause container that holds the ports is no generation.
 */
export function assessEdge(
  pinned: string | undefined,
  hosts: readonly (readonly RawContainer[] | Error)[],
): ServiceStatus {
  const known = hosts.flatMap((containers) => (containers instanceof Error ? [] : [containers]));
  const newest = known.flatMap((containers) => newestGeneration(containers) ?? []);
  const live = [...new Set(newest.map(({ image }) => image))];
  const matches = pinned !== undefined && live.every((image) => sameImage(image, pinned));
  const counts = { wanted: hosts.length, running: known.length === hosts.length ? newest.length : null };
  const asPinned = matches && counts.running !== null;
  return { name: "edge", service: edgeName, pinned: pinned ?? null, ...counts, live, asPinned, problem: problem() };

  function problem(): string | null {
    if (pinned === undefined) return "the stack file pins no image for it";
    if (!matches) return `runs ${live.map(shortRef).join(" and ")} instead of ${shortRef(pinned)}`;
    if (counts.running === null) return "not known: not every edge host answered";
    return counts.running === counts.wanted ? null : `runs on ${counts.running} of ${counts.wanted} hosts`;
  }
}

/** How long after its time a run may begin before it is missed. */
const lateMs = 5 * 60_000;

/** @param schedule Its physical name, the value of its label */
export function assessSchedule(
  name: string,
  schedule: string,
  swarm: Pick<Swarm, "configs"> | undefined,
  now: number,
): ScheduleStatus {
  const unknown = { name, times: null, lastRun: null, result: null };
  if (!swarm) return { ...unknown, problem: "not known: no manager of the swarm answered" };
  const kept = swarm.configs.filter(({ Spec }) => Spec.Labels?.[scheduleLabel] === schedule);
  const label = ({ Spec }: RawConfig, key: string): string | undefined => Spec.Labels?.[`${scheduleLabel}.${key}`];
  const plan = kept.find((config) => label(config, "cron") !== undefined);
  const [cron, zone] = plan ? [label(plan, "cron") ?? "", label(plan, "zone") ?? "UTC"] : [];
  if (!plan || cron === undefined || zone === undefined) return { ...unknown, problem: "is not set up on the swarm" };

  const ended = kept
    .filter((config) => !["skipped", undefined].includes(label(config, "result")))
    .toSorted((a, b) => a.Spec.Name.localeCompare(b.Spec.Name))
    .at(-1);
  const result = ended
    ? Buffer.from(ended.Spec.Data ?? "", "base64")
        .toString()
        .trim()
    : null;
  const lastRun = ended ? startOf(ended) : undefined;
  const status = { name, times: `${cron} ${zone}`, lastRun: isoDate(lastRun), result };
  const times = parseCron(cron);
  const due = times instanceof Error ? undefined : lastDue(times, zone, Date.parse(plan.CreatedAt), now - lateMs);
  const begun = kept.some((config) => label(config, "claim") !== undefined && (startOf(config) ?? 0) >= (due ?? 0));
  if (due !== undefined && !begun) return { ...status, problem: `did not run when it was due, ${isoDate(due) ?? ""}` };
  const failed = ended && label(ended, "result") !== "done";
  return { ...status, problem: failed ? `its run of ${isoDate(lastRun) ?? "?"} ${result ?? "failed"}` : null };
}

/** The time in the name of what is kept of a run. */
function startOf({ Spec }: RawConfig): number | undefined {
  const [, year, month, day, hour, minute, second = "00"] =
    /-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?(?:-over)?$/.exec(Spec.Name) ?? [];
  return year === undefined ? undefined : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

const isoDate = (time: number | undefined): string | null =>
  time === undefined ? null : new Date(time).toISOString().replace(/:\d\d\.000Z$/, "Z");

/** @param withinDays Days left below which it is late; by default, by how long it lives */
export function assessCertificate(
  site: string,
  host: string,
  seen: SiteCertificate | Error,
  now: number,
  withinDays?: number,
): CertificateStatus {
  if (seen instanceof Error) {
    return { site, host, expires: null, daysLeft: null, issuer: null, problem: `cannot be read: ${seen.message}` };
  }
  const [issued, expires] = [Date.parse(seen.issued), Date.parse(seen.expires)];
  const daysLeft = Math.floor((expires - now) / dayMs);
  const problem = seen.placeholder
    ? "is the placeholder: none was issued yet"
    : !seen.matches
      ? "is for other names"
      : expires <= now
        ? "has expired"
        : expires - now < lateBefore(withinDays, expires - issued)
          ? `expires in ${daysLeft} days: ${seen.originCa ? "run `pulumi up`, which gets another" : "renewal fails"}`
          : null;
  return { site, host, expires: seen.expires, daysLeft, issuer: seen.issuer, problem };
}

const lateBefore = (withinDays: number | undefined, lifetimeMs: number): number =>
  withinDays === undefined ? lateSeconds(lifetimeMs / 1000) * 1000 : withinDays * dayMs;

/** What is wrong with the certificates, by what they are for, by which Cloudflare is known to the edge. */
export function clientCertificateProblems(
  certificates: readonly ClientCertificateEnd[],
  now: number,
  withinDays = 30,
): string[] {
  return certificates.flatMap(({ what, expires }) => {
    const daysLeft = Math.floor((Date.parse(expires) - now) / dayMs);
    if (daysLeft >= withinDays) return [];
    const when = daysLeft < 0 ? "has expired" : `expires in ${daysLeft} days`;
    return [`${what}: ${when}; from then on the edge answers Cloudflare 400; see docs/cloudflare.md`];
  });
}

/** The digest decides; a tag alone counts only where no digest is pinned. */
function sameImage(live: string, pinned: string): boolean {
  const [a, b] = [parseImageRef(live), parseImageRef(pinned)];
  return b.digest === undefined ? live === pinned : a.digest === b.digest;
}

/** Tag and the beginning of the digest. */
export function shortRef(ref: string): string {
  const { repository, tag, digest } = parseImageRef(ref);
  const beginning = digest?.slice(0, "sha256:".length + 12);
  return [tag ?? repository, ...(beginning === undefined ? [] : [beginning])].join("@");
}
