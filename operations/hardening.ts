import type { SystemInput } from "../components/config/system.ts";
import { poolerName } from "../components/config/store-rules.ts";

/*
 * Where a container is less confined than all of them are by default: a user who is not root, a root file system that
 * cannot be written to, no capability, nothing of the host, limits. Read from what runs, and from what the system says.
 */

export interface HardeningStatus {
  /** Name of the service in the system; `edge` for nginx. */
  readonly service: string;
  /** In words; the same words for what runs and for what the system says. */
  readonly exceptions: readonly string[];
  /** What nobody declared. */
  readonly problem: string | null;
}

/** The part of an entry of `GET /services` that confines its containers. */
export interface RawTaskTemplate {
  readonly ContainerSpec?: {
    readonly User?: string;
    readonly ReadOnly?: boolean;
    readonly CapabilityAdd?: readonly string[] | null;
    readonly CapabilityDrop?: readonly string[] | null;
    readonly Mounts?: readonly { readonly Type: string; readonly Source?: string }[] | null;
  };
  readonly Resources?: { readonly Limits?: { readonly MemoryBytes?: number; readonly NanoCPUs?: number } };
}

/** The same of `GET /containers/…/json`. */
export interface RawInspection {
  readonly Config: { readonly User?: string };
  readonly HostConfig: {
    readonly ReadonlyRootfs?: boolean;
    readonly CapAdd?: readonly string[] | null;
    readonly CapDrop?: readonly string[] | null;
    readonly Memory?: number;
    readonly NanoCpus?: number;
  };
  readonly Mounts?: readonly { readonly Type: string; readonly Source?: string }[] | null;
}

interface Confinement {
  readonly user: string | undefined;
  readonly readOnly: boolean | undefined;
  readonly added: readonly string[] | null | undefined;
  readonly dropped: readonly string[] | null | undefined;
  readonly mounts: readonly { readonly Type: string; readonly Source?: string }[] | null | undefined;
}

const words = {
  writable: "can write to its root file system",
  keeps: (capabilities: readonly string[]) =>
    `keeps ${capabilities
      .map((name) => name.replace("CAP_", ""))
      .toSorted()
      .join(", ")}`,
};

/** nginx binds ports below 1024 and gives its workers a user of their own; its configuration is on the host. */
export const edgeExceptions = [
  "runs as the user of its image",
  words.keeps(["CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"]),
  "reaches /var/lib/berth/edge of its host",
];

/** What the system's file says, by name of the service. */
export function declaredExceptions(system: SystemInput): Readonly<Record<string, readonly string[]>> {
  const services = Object.entries(system.services).map(([name, service]): [string, string[]] => [
    name,
    [
      ...(service.readOnly === false ? [words.writable] : []),
      ...("capabilities" in service && service.capabilities?.length ? [words.keeps(service.capabilities)] : []),
    ],
  ]);
  const stores = Object.entries(system.data ?? {}).flatMap(([name, store]): [string, string[]][] => [
    ...(store.kind === "managed" ? [] : ([[name, []]] as [string, string[]][])),
    ...(store.kind === "postgres" && store.pooler ? ([[poolerName(name), []]] as [string, string[]][]) : []),
  ]);
  return Object.fromEntries([...services, ...stores]);
}

export function serviceExceptions({ ContainerSpec: spec, Resources }: RawTaskTemplate): string[] {
  const { MemoryBytes = 0, NanoCPUs = 0 } = Resources?.Limits ?? {};
  return [
    ...confinementExceptions({
      user: spec?.User,
      readOnly: spec?.ReadOnly,
      added: spec?.CapabilityAdd,
      dropped: spec?.CapabilityDrop,
      mounts: spec?.Mounts,
    }),
    ...limitExceptions(MemoryBytes, NanoCPUs),
  ];
}

export function containerExceptions({ Config, HostConfig, Mounts }: RawInspection): string[] {
  return [
    ...confinementExceptions({
      user: Config.User,
      readOnly: HostConfig.ReadonlyRootfs,
      added: HostConfig.CapAdd,
      dropped: HostConfig.CapDrop,
      mounts: Mounts,
    }),
    ...limitExceptions(HostConfig.Memory, HostConfig.NanoCpus),
  ];
}

const limitExceptions = (memory = 0, nanoCpus = 0): string[] =>
  memory > 0 && nanoCpus > 0 ? [] : ["has no limit of memory or cores"];

function confinementExceptions({ user = "", readOnly, added, dropped, mounts }: Confinement): string[] {
  const known = /^[1-9]\d*(:[1-9]\d*)?$/.test(user);
  return [
    ...(known ? [] : [`runs as ${user === "" ? "the user of its image" : user}`]),
    ...(readOnly === true ? [] : [words.writable]),
    ...(dropped?.includes("ALL") === true ? [] : ["keeps all capabilities that Docker gives"]),
    ...(added && added.length > 0 ? [words.keeps(added)] : []),
    ...(mounts ?? []).flatMap(({ Type, Source }) => (Type === "bind" ? [`reaches ${Source ?? "?"} of its host`] : [])),
  ];
}

/** @param declared What the system says; a service that it does not have is reported elsewhere */
export function assessHardening(
  service: string,
  exceptions: readonly string[],
  declared: readonly string[],
): HardeningStatus {
  const unsaid = exceptions.filter((exception) => !declared.includes(exception));
  const problem = unsaid.length === 0 ? null : `is less confined than the system says: ${unsaid.join("; ")}`;
  return { service, exceptions, problem };
}
