/** What is read of a service in the daemon's answer; everything may be left out there when it is zero. */
export interface ServiceInfo {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: Spec;
  readonly Endpoint?: { readonly Spec?: EndpointSpec; readonly Ports?: readonly Port[] | null };
}

export interface Spec {
  readonly Name: string;
  readonly Labels?: Record<string, string> | null;
  readonly TaskTemplate: TaskTemplate;
  readonly Mode: { readonly Replicated?: { readonly Replicas?: number }; readonly Global?: object };
  readonly UpdateConfig?: RolloutConfig;
  readonly RollbackConfig?: RolloutConfig;
  readonly EndpointSpec?: EndpointSpec;
}

export interface TaskTemplate {
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

export interface ContainerSpec {
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

export interface Mount {
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

export interface File {
  readonly Name: string;
  readonly UID?: string;
  readonly GID?: string;
  readonly Mode?: number;
}

export interface Amounts {
  readonly NanoCPUs?: number;
  readonly MemoryBytes?: number;
  readonly GenericResources?: readonly {
    readonly NamedResourceSpec?: { readonly Kind: string; readonly Value: string };
    readonly DiscreteResourceSpec?: { readonly Kind: string; readonly Value: number };
  }[];
}

export interface RolloutConfig {
  readonly Parallelism?: number;
  readonly Delay?: number;
  readonly FailureAction?: string;
  readonly Monitor?: number;
  readonly MaxFailureRatio?: number;
  readonly Order?: string;
}

export interface EndpointSpec {
  readonly Mode?: string;
  readonly Ports?: readonly Port[];
}

export interface Port {
  readonly Name?: string;
  readonly Protocol?: string;
  readonly TargetPort?: number;
  readonly PublishedPort?: number;
  readonly PublishMode?: string;
}
