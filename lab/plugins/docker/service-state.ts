import type { Properties } from "../framework/types.ts";
import { formatDuration } from "./duration.ts";
import { labelsFromMap } from "./labels.ts";

/** What is read of a service in the daemon's answer; everything may be left out there when it is zero. */
export interface ServiceInfo {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: Spec;
  readonly Endpoint?: { readonly Spec?: EndpointSpec; readonly Ports?: readonly Port[] | null };
}

interface Spec {
  readonly Name: string;
  readonly Labels?: Record<string, string> | null;
  readonly TaskTemplate: TaskTemplate;
  readonly Mode: { readonly Replicated?: { readonly Replicas?: number }; readonly Global?: object };
  readonly UpdateConfig?: RolloutConfig;
  readonly RollbackConfig?: RolloutConfig;
  readonly EndpointSpec?: EndpointSpec;
}

interface TaskTemplate {
  readonly ContainerSpec?: ContainerSpec;
  readonly Resources?: { readonly Limits?: Amounts; readonly Reservations?: Amounts };
  readonly RestartPolicy?: {
    readonly Condition?: string;
    readonly Delay?: number;
    readonly MaxAttempts?: number;
    readonly Window?: number;
  };
  readonly Placement?: {
    readonly Constraints?: readonly string[];
    readonly Preferences?: readonly { readonly Spread: { readonly SpreadDescriptor: string } }[];
    readonly Platforms?: readonly { readonly Architecture?: string; readonly OS?: string }[];
    readonly MaxReplicas?: number;
  };
  readonly ForceUpdate?: number;
  readonly Runtime?: string;
  readonly Networks?: readonly {
    readonly Target: string;
    readonly Aliases?: readonly string[];
    readonly DriverOpts?: Record<string, string>;
  }[];
  readonly LogDriver?: { readonly Name?: string; readonly Options?: Record<string, string> };
}

interface ContainerSpec {
  readonly Image?: string;
  readonly Labels?: Record<string, string>;
  readonly Command?: readonly string[];
  readonly Args?: readonly string[];
  readonly Hostname?: string;
  readonly Env?: readonly string[];
  readonly Dir?: string;
  readonly User?: string;
  readonly Groups?: readonly string[];
  readonly Privileges?: {
    readonly CredentialSpec?: { readonly File?: string; readonly Registry?: string };
    readonly SELinuxContext?: {
      readonly Disable?: boolean;
      readonly User?: string;
      readonly Role?: string;
      readonly Type?: string;
      readonly Level?: string;
    };
  } | null;
  readonly ReadOnly?: boolean;
  readonly Mounts?: readonly Mount[];
  readonly StopSignal?: string;
  readonly StopGracePeriod?: number;
  readonly Healthcheck?: {
    readonly Test?: readonly string[];
    readonly Interval?: number;
    readonly Timeout?: number;
    readonly StartPeriod?: number;
    readonly Retries?: number;
  };
  readonly Hosts?: readonly string[];
  readonly DNSConfig?: {
    readonly Nameservers?: readonly string[];
    readonly Search?: readonly string[];
    readonly Options?: readonly string[];
  };
  readonly Secrets?: readonly { readonly File?: File; readonly SecretID: string; readonly SecretName?: string }[];
  readonly Configs?: readonly { readonly File?: File; readonly ConfigID: string; readonly ConfigName?: string }[];
  readonly Isolation?: string;
  readonly Sysctls?: Record<string, string>;
  readonly CapabilityAdd?: readonly string[];
  readonly CapabilityDrop?: readonly string[];
  readonly Init?: boolean;
}

interface Mount {
  readonly Type: string;
  readonly Source?: string;
  readonly Target: string;
  readonly ReadOnly?: boolean;
  readonly BindOptions?: { readonly Propagation?: string };
  readonly VolumeOptions?: {
    readonly NoCopy?: boolean;
    readonly Labels?: Record<string, string>;
    readonly DriverConfig?: { readonly Name?: string; readonly Options?: Record<string, string> };
  };
  readonly TmpfsOptions?: { readonly SizeBytes?: number; readonly Mode?: number };
}

interface File {
  readonly Name: string;
  readonly UID?: string;
  readonly GID?: string;
  readonly Mode?: number;
}

interface Amounts {
  readonly NanoCPUs?: number;
  readonly MemoryBytes?: number;
  readonly GenericResources?: readonly {
    readonly NamedResourceSpec?: { readonly Kind: string; readonly Value: string };
    readonly DiscreteResourceSpec?: { readonly Kind: string; readonly Value: number };
  }[];
}

interface RolloutConfig {
  readonly Parallelism?: number;
  readonly Delay?: number;
  readonly FailureAction?: string;
  readonly Monitor?: number;
  readonly MaxFailureRatio?: number;
  readonly Order?: string;
}

interface EndpointSpec {
  readonly Mode?: string;
  readonly Ports?: readonly Port[];
}

interface Port {
  readonly Name?: string;
  readonly Protocol?: string;
  readonly TargetPort?: number;
  readonly PublishedPort?: number;
  readonly PublishMode?: string;
}

/** The properties of a service as they are read back: durations in their shortest form, ratios with one decimal. */
export function serviceState({ ID, Spec, Endpoint }: ServiceInfo): Properties {
  const endpoint = Endpoint?.Spec?.Mode === undefined ? Spec.EndpointSpec : { ...Endpoint.Spec, Ports: Endpoint.Ports };
  return {
    id: ID,
    name: Spec.Name,
    labels: labelsFromMap(Spec.Labels),
    taskSpec: taskSpec(Spec.TaskTemplate),
    mode: {
      replicated: Spec.Mode.Replicated === undefined ? undefined : { replicas: Spec.Mode.Replicated.Replicas },
      global: Spec.Mode.Global !== undefined,
    },
    updateConfig: rolloutConfig(Spec.UpdateConfig),
    rollbackConfig: rolloutConfig(Spec.RollbackConfig),
    endpointSpec: { mode: endpoint?.Mode, ports: (endpoint?.Ports ?? []).map(port) },
  };
}

function taskSpec(task: TaskTemplate): Properties {
  const { Resources, RestartPolicy, Placement, LogDriver } = task;
  return {
    containerSpec: containerSpec(task.ContainerSpec ?? {}),
    resources: Resources && { limits: amounts(Resources.Limits), reservation: amounts(Resources.Reservations) },
    restartPolicy: RestartPolicy && {
      condition: RestartPolicy.Condition ?? "",
      delay: RestartPolicy.Delay === undefined ? "" : formatDuration(RestartPolicy.Delay),
      maxAttempts: RestartPolicy.MaxAttempts ?? 0,
      window: RestartPolicy.Window === undefined ? "" : formatDuration(RestartPolicy.Window),
    },
    placement: Placement && {
      constraints: sorted(Placement.Constraints),
      prefs: sorted(Placement.Preferences?.map(({ Spread }) => Spread.SpreadDescriptor)),
      maxReplicas: Placement.MaxReplicas ?? 0,
      platforms: (Placement.Platforms ?? []).map(({ Architecture = "", OS = "" }) => ({
        architecture: Architecture,
        os: OS,
      })),
    },
    forceUpdate: task.ForceUpdate ?? 0,
    runtime: task.Runtime ?? "",
    networksAdvanceds: (task.Networks ?? []).map(({ Target, Aliases, DriverOpts }) => ({
      id: Target,
      name: "",
      aliases: sorted(Aliases),
      driverOpts: sorted(Object.entries(DriverOpts ?? {}).map(([name, value]) => `${name}=${value}`)),
    })),
    logDriver: LogDriver && { name: LogDriver.Name ?? "", options: LogDriver.Options ?? {} },
  };
}

function containerSpec(container: ContainerSpec): Properties {
  return {
    image: container.Image ?? "",
    labels: labelsFromMap(container.Labels),
    commands: container.Command ?? [],
    args: container.Args ?? [],
    hostname: container.Hostname ?? "",
    env: environment(container.Env ?? []),
    dir: container.Dir ?? "",
    user: container.User ?? "",
    groups: container.Groups ?? [],
    privileges: container.Privileges == null ? undefined : privileges(container.Privileges),
    readOnly: container.ReadOnly ?? false,
    mounts: (container.Mounts ?? []).map(mount),
    stopSignal: container.StopSignal ?? "",
    stopGracePeriod: container.StopGracePeriod === undefined ? undefined : formatDuration(container.StopGracePeriod),
    healthcheck: container.Healthcheck && healthcheck(container.Healthcheck),
    hosts: (container.Hosts ?? []).map((line) => {
      const [ip, host] = line.split(" ");
      return { host, ip };
    }),
    dnsConfig: container.DNSConfig && dnsConfig(container.DNSConfig),
    secrets: (container.Secrets ?? []).map(({ File, SecretID, SecretName = "" }) => ({
      secretId: SecretID,
      secretName: SecretName,
      ...file(File),
    })),
    configs: (container.Configs ?? []).map(({ File, ConfigID, ConfigName = "" }) => ({
      configId: ConfigID,
      configName: ConfigName,
      ...file(File),
    })),
    isolation: container.Isolation ?? "",
    sysctl: container.Sysctls ?? {},
    capAdds: container.CapabilityAdd ?? [],
    capDrops: container.CapabilityDrop ?? [],
    init: container.Init,
  };
}

function privileges({ CredentialSpec, SELinuxContext }: NonNullable<ContainerSpec["Privileges"]>): Properties {
  return {
    credentialSpec: CredentialSpec && { file: CredentialSpec.File ?? "", registry: CredentialSpec.Registry ?? "" },
    seLinuxContext: SELinuxContext && {
      disable: SELinuxContext.Disable ?? false,
      user: SELinuxContext.User ?? "",
      role: SELinuxContext.Role ?? "",
      type: SELinuxContext.Type ?? "",
      level: SELinuxContext.Level ?? "",
    },
  };
}

function mount({ Type, Source, Target, ReadOnly, BindOptions, VolumeOptions, TmpfsOptions }: Mount): Properties {
  return {
    type: Type,
    source: Source ?? "",
    target: Target,
    readOnly: ReadOnly ?? false,
    bindOptions: BindOptions && { propagation: BindOptions.Propagation ?? "" },
    volumeOptions: VolumeOptions && {
      noCopy: VolumeOptions.NoCopy ?? false,
      labels: labelsFromMap(VolumeOptions.Labels),
      driverName: VolumeOptions.DriverConfig?.Name ?? "",
      driverOptions: VolumeOptions.DriverConfig?.Options ?? {},
    },
    // The sticky bit and its like do not come back.
    tmpfsOptions: TmpfsOptions && { sizeBytes: TmpfsOptions.SizeBytes ?? 0, mode: (TmpfsOptions.Mode ?? 0) & 0o777 },
  };
}

function healthcheck(check: NonNullable<ContainerSpec["Healthcheck"]>): Properties {
  return {
    tests: check.Test ?? [],
    interval: formatDuration(check.Interval ?? 0),
    timeout: formatDuration(check.Timeout ?? 0),
    startPeriod: formatDuration(check.StartPeriod ?? 0),
    retries: check.Retries ?? 0,
  };
}

function dnsConfig({ Nameservers, Search, Options }: NonNullable<ContainerSpec["DNSConfig"]>): Properties {
  if (Nameservers === undefined && Search === undefined && Options === undefined) return {};
  return { nameservers: Nameservers ?? [], searches: Search ?? [], options: Options ?? [] };
}

function file(target: File | undefined): Properties {
  return {
    fileName: target?.Name ?? "",
    fileUid: target?.UID ?? "",
    fileGid: target?.GID ?? "",
    fileMode: target?.Mode ?? 0,
  };
}

function amounts(given: Amounts | undefined): Properties | undefined {
  if (given === undefined) return undefined;
  const resources = { nanoCpus: given.NanoCPUs ?? 0, memoryBytes: given.MemoryBytes ?? 0 };
  if (given.GenericResources === undefined || given.GenericResources.length === 0) return resources;
  const specs = given.GenericResources;
  return {
    ...resources,
    genericResources: {
      namedResourcesSpecs: specs.flatMap(({ NamedResourceSpec: spec }) => (spec ? [`${spec.Kind}=${spec.Value}`] : [])),
      discreteResourcesSpecs: specs.flatMap(({ DiscreteResourceSpec: spec }) =>
        spec ? [`${spec.Kind}=${spec.Value}`] : [],
      ),
    },
  };
}

function environment(lines: readonly string[]): Record<string, string> {
  const pairs = lines.filter((line) => line !== "").map((line) => line.split("="));
  return Object.fromEntries(pairs.map(([name = "", ...value]) => [name, value.join("=")]));
}

function rolloutConfig(config: RolloutConfig | undefined): Properties | undefined {
  return (
    config && {
      parallelism: config.Parallelism ?? 0,
      delay: formatDuration(config.Delay ?? 0),
      failureAction: config.FailureAction ?? "",
      monitor: formatDuration(config.Monitor ?? 0),
      maxFailureRatio: oneDecimal(config.MaxFailureRatio ?? 0),
      order: config.Order ?? "",
    }
  );
}

/** As Go prints the daemon's 32-bit number, which rounds a half to the even side: 0.25 is read back as 0.2. */
function oneDecimal(ratio: number): string {
  return ratio === 0.25 ? "0.2" : Math.fround(ratio).toFixed(1);
}

function port({ Name, Protocol, TargetPort, PublishedPort, PublishMode }: Port): Properties {
  return {
    name: Name ?? "",
    protocol: Protocol ?? "",
    targetPort: TargetPort ?? 0,
    publishedPort: PublishedPort ?? 0,
    publishMode: PublishMode ?? "",
  };
}

function sorted(values: readonly string[] | undefined): string[] {
  return [...(values ?? [])].sort();
}
