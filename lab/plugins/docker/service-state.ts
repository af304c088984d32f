import type { Properties } from "../framework/types.ts";
import { formatDuration } from "./duration.ts";
import { labelsFromMap } from "./labels.ts";
import type {
  Amounts,
  ContainerSpec,
  File,
  Mount,
  Port,
  RolloutConfig,
  ServiceInfo,
  TaskTemplate,
} from "./service-info.ts";

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
