import type { CheckFailure, Context, Properties } from "../framework/types.ts";
import type { Client } from "./client.ts";
import { parseDuration } from "./duration.ts";
import { DaemonError } from "./docker-api.ts";
import { authFor, encodeAuth } from "./registry-auth.ts";
import type { AuthConfig } from "./registry-auth.ts";
import { resource } from "./resource.ts";
import { serviceFields } from "./service-fields.ts";
import { serviceSpec } from "./service-spec.ts";
import { serviceState } from "./service-state.ts";
import type { ServiceInfo } from "./service-info.ts";
import { poll, providerRhythm } from "./wait.ts";

type DockerContext = Context<Client>;

/** `docker:index/service:Service`. Returns as soon as the swarm has taken the order, not when it is carried out. */
export const service = resource({
  fields: serviceFields,
  outputs: [],
  refuse,
  async create(plan, { client, signal }) {
    const auth = encodeAuth(credentials(plan, client));
    const spec = await withDigest(serviceSpec(plan), auth, client, signal);
    const { ID } = await client.api.post<{ ID: string }>("/services/create", spec, signal, auth);
    return ID;
  },
  read: (id, state, { client, signal }) =>
    poll(providerRhythm, signal, { pending: "pending", target: "all_fields" }, async () => {
      const name = state["name"];
      const services = await client.api.get<readonly ServiceInfo[]>("/services", signal);
      const listed = services.find(({ ID, Spec }) => ID === id || Spec.Name === name);
      if (listed === undefined) return { found: undefined };
      const info = await client.api.get<ServiceInfo>(`/services/${listed.ID}`, signal);
      // Right after its creation a service may not say yet how it is reached.
      if (!info.Endpoint?.Spec?.Mode && !info.Spec.EndpointSpec?.Mode) return undefined;
      const { auth } = state;
      return { found: { ...serviceState(info), ...(auth === undefined ? {} : { auth }) } };
    }).then(({ found }) => found),
  async update(id, plan, { client, signal }) {
    const { ID, Version } = await client.api.get<ServiceInfo>(`/services/${id}`, signal);
    const auth = encodeAuth(credentials(plan, client));
    await client.api.post(`/services/${ID}/update?version=${Version.Index}`, serviceSpec(plan), signal, auth);
  },
  delete: remove,
});

function refuse(inputs: Properties): CheckFailure[] {
  const failures: CheckFailure[] = [];
  if (inputs["convergeConfig"] !== undefined) {
    failures.push({ property: "convergeConfig", reason: "not part of the stand-in: it misses failed rollouts anyway" });
  }
  const mode = inputs["mode"] as Properties | undefined;
  if (mode?.["global"] === true && mode["replicated"] !== undefined) {
    failures.push({ property: "mode.global", reason: "conflicts with mode.replicated" });
  }
  return failures;
}

function credentials(plan: Properties, client: Client): AuthConfig {
  const given = plan["auth"] as Partial<Record<"serverAddress" | "username" | "password", string>> | undefined;
  if (given === undefined) {
    const task = plan["taskSpec"] as { readonly containerSpec: { readonly image: string } };
    return authFor(task.containerSpec.image, client.auths);
  }
  const { serverAddress, username = "", password = "" } = given;
  return username === "" || password === "" ? {} : { username, password, serveraddress: serverAddress };
}

interface Distribution {
  readonly Descriptor: { readonly digest: string };
  readonly Platforms?: readonly { readonly architecture: string; readonly os: string }[] | null;
}

/**
 * A new service is pinned to what the registry has under the tag now, and to the platforms of that image. An image
 * that the registry does not tell about is taken as it is; an update never asks.
 */
async function withDigest(spec: Properties, auth: string, { api }: Client, signal: AbortSignal): Promise<Properties> {
  const task = spec["TaskTemplate"] as { ContainerSpec: { Image: string }; Placement: Properties };
  const image = task.ContainerSpec.Image;
  let answer: Distribution;
  try {
    answer = await api.distribution<Distribution>(image, signal, auth);
  } catch (error) {
    if (error instanceof DaemonError) return spec;
    throw error;
  }
  const { Descriptor, Platforms } = answer;
  const pinned = image.includes("@") ? image : `${image}@${Descriptor.digest}`;
  const platforms = (Platforms ?? []).map(({ architecture, os }) => ({
    // Nodes name their ARM variant, images do not: the two would never meet.
    Architecture: architecture.toLowerCase() === "arm" ? "" : architecture,
    OS: os,
  }));
  const Placement = platforms.length === 0 ? task.Placement : { ...task.Placement, Platforms: platforms };
  return { ...spec, TaskTemplate: { ...task, ContainerSpec: { ...task.ContainerSpec, Image: pinned }, Placement } };
}

interface TaskInfo {
  readonly Status: { readonly State: string; readonly ContainerStatus?: { readonly ContainerID?: string } };
}

/**
 * Removes the service, then waits for each of its containers as long as its grace period. One that takes longer is
 * an error although the service is gone; one on another host is not waited for.
 */
async function remove(id: string, state: Properties, context: DockerContext): Promise<void> {
  const { client, signal } = context;
  const grace = gracePeriodMs(state);
  const containers = grace > 0 ? await containersOf(String(state["name"]), context) : [];
  try {
    await client.api.delete(`/services/${id}`, signal);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`Error deleting service with ID '${id}': ${reason}`, { cause: error });
  }
  for (const container of containers) await containerGone(container, grace, context);
}

function gracePeriodMs(state: Properties): number {
  const task = state["taskSpec"] as { readonly containerSpec?: { readonly stopGracePeriod?: string } } | undefined;
  return (parseDuration(task?.containerSpec?.stopGracePeriod ?? "0s") ?? 0) / 1e6;
}

async function containersOf(name: string, { client, signal }: DockerContext): Promise<string[]> {
  const filters = encodeURIComponent(JSON.stringify({ service: { [name]: true } }));
  const tasks = await client.api.get<readonly TaskInfo[]>(`/tasks?filters=${filters}`, signal);
  return tasks
    .filter(({ Status }) => Status.State !== "shutdown")
    .map(({ Status }) => Status.ContainerStatus?.ContainerID ?? "")
    .filter((container) => container !== "");
}

async function containerGone(container: string, graceMs: number, { client, signal }: DockerContext): Promise<void> {
  const deadline = AbortSignal.timeout(graceMs);
  try {
    await client.api.post(
      `/containers/${container}/wait?condition=removed`,
      undefined,
      AbortSignal.any([signal, deadline]),
    );
  } catch (error) {
    if (!isIgnorable(error)) {
      const reason = deadline.aborted
        ? "context deadline exceeded"
        : error instanceof Error
          ? error.message
          : String(error);
      throw new Error(`error on wait for container with ID '${container}': ${reason}`, { cause: error });
    }
  }
  try {
    await client.api.delete(`/containers/${container}?v=1&force=1`, signal);
  } catch (error) {
    if (!isIgnorable(error)) throw error;
  }
}

function isIgnorable(error: unknown): boolean {
  return error instanceof DaemonError && /no such container|is already in progress/i.test(error.message);
}
