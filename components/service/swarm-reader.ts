import type Docker from "dockerode";
import type { ServiceView, TaskView } from "./convergence.judge.ts";
import { specLabel } from "./workload.ts";

/* What a swarm manager says of services, for the rules that judge a rollout. */

/** A service as it is at one moment. */
export interface Look {
  readonly service: ServiceView;
  readonly tasks: readonly TaskView[];
  /** On hosts that are down. */
  readonly lost: readonly TaskView[];
}

type Reading = ReadonlyMap<string, Look>;

/**
 * Reads services through the Docker API. One reading at a time, and one for all that are asked for meanwhile: a system
 * of fifty services costs its manager as many requests as one of a single service.
 */
export class SwarmReader {
  readonly #docker: () => Promise<Docker>;
  #asked = new Set<string>();
  /** The one that has not begun: what is asked for until then is in it. */
  #next: Promise<Reading> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(docker: () => Promise<Docker>) {
    this.#docker = docker;
  }

  /** The service as it is at a moment after this call. */
  async look(name: string): Promise<Look> {
    this.#asked.add(name);
    this.#next ??= this.#after(this.#last);
    const found = (await this.#next).get(name);
    if (!found) throw new Error("the swarm does not have it any more; `pulumi up --refresh` makes it again");
    return found;
  }

  #after(last: Promise<unknown>): Promise<Reading> {
    const next = last.then(async () => {
      const names = [...this.#asked];
      this.#asked = new Set();
      this.#next = undefined;
      return read(await this.#docker(), names);
    });
    // Who asked is told of a failure; the next reading is another try.
    this.#last = next.catch(() => undefined);
    return next;
  }
}

async function read(api: Docker, names: readonly string[]): Promise<Reading> {
  const [named, nodes] = await Promise.all([
    api.listServices({ filters: { name: [...names] } }) as Promise<unknown> as Promise<RawService[]>,
    api.listNodes() as Promise<unknown> as Promise<RawNode[]>,
  ]);
  // Docker's filter also lets through what begins with a name.
  const services = named.filter(({ Spec }) => names.includes(Spec.Name));
  if (services.length === 0) return new Map();
  const filters = { service: services.map(({ ID }) => ID) };
  const tasks = (await api.listTasks({ filters })) as unknown as RawTask[];
  const down = new Set(nodes.filter(({ Status }) => Status.State === "down").map(({ ID }) => ID));
  const isLost = ({ NodeID }: RawTask) => NodeID !== undefined && down.has(NodeID);
  return new Map(
    services.map((service) => {
      const all = tasks.filter(({ ServiceID }) => ServiceID === service.ID);
      const look: Look = {
        service: serviceViewOf(service),
        // Swarm has others started in the place of lost ones, and status names the host.
        tasks: all.filter((task) => !isLost(task)).map(taskViewOf),
        lost: all.filter(isLost).map(taskViewOf),
      };
      return [service.Spec.Name, look];
    }),
  );
}

function serviceViewOf({ Spec, UpdateStatus }: RawService): ServiceView {
  return {
    image: Spec.TaskTemplate.ContainerSpec.Image,
    spec: Spec.Labels?.[specLabel],
    taskSpec: madeFrom(Spec.TaskTemplate),
    updateState: UpdateStatus?.State,
    updateMessage: UpdateStatus?.Message,
  };
}

function taskViewOf(task: RawTask): TaskView {
  return {
    id: task.ID,
    slot: task.Slot ?? 0,
    nodeId: task.NodeID ?? "",
    image: task.Spec.ContainerSpec.Image,
    spec: madeFrom(task.Spec),
    desiredState: task.DesiredState,
    state: task.Status.State,
    error: task.Status.Err,
    exitCode: task.Status.ContainerStatus?.ExitCode,
    createdAt: task.CreatedAt,
  };
}

/** Docker names the runtime of a service and not that of its tasks. */
function madeFrom({ Placement, Runtime, ...rest }: RawTaskSpec): string {
  return JSON.stringify(rest);
}

interface RawService {
  readonly ID: string;
  readonly Spec: {
    readonly Name: string;
    readonly Labels?: Record<string, string>;
    readonly TaskTemplate: RawTaskSpec;
  };
  readonly UpdateStatus?: { readonly State?: string; readonly Message?: string };
}

interface RawTaskSpec {
  readonly ContainerSpec: { readonly Image: string };
  readonly Placement?: unknown;
  readonly Runtime?: unknown;
}

interface RawNode {
  readonly ID: string;
  readonly Status: { readonly State: string };
}

interface RawTask {
  readonly ID: string;
  readonly ServiceID: string;
  readonly Slot?: number;
  readonly NodeID?: string;
  readonly CreatedAt: string;
  readonly DesiredState: string;
  readonly Spec: RawTaskSpec;
  readonly Status: {
    readonly State: string;
    readonly Err?: string;
    readonly ContainerStatus?: { readonly ExitCode?: number };
  };
}
