import { randomInt } from "node:crypto";
import type { Properties } from "../framework/types.ts";
import { parseDuration } from "./duration.ts";
import { labelsToMap } from "./labels.ts";

/*
 * From the planned properties of a service to what the daemon is sent. Like the official provider this sends every
 * field on every update, and the zero of its type for what is not set: no grace period kills at once, no restart
 * delay restarts at once, no init means none.
 */

type Json = Record<string, unknown>;

export function serviceSpec(service: Properties): Json {
  return {
    Name: service["name"],
    Labels: labelsToMap(service["labels"]),
    TaskTemplate: taskTemplate(object(service["taskSpec"])),
    Mode: mode(object(service["mode"])),
    UpdateConfig: rolloutConfig(service["updateConfig"]),
    RollbackConfig: rolloutConfig(service["rollbackConfig"]),
    EndpointSpec: endpointSpec(object(service["endpointSpec"])),
  };
}

function taskTemplate(task: Properties): Json {
  return {
    ContainerSpec: containerSpec(object(task["containerSpec"])),
    Resources: resources(object(task["resources"])),
    RestartPolicy: restartPolicy(task["restartPolicy"]),
    Placement: placement(object(task["placement"])),
    ForceUpdate: task["forceUpdate"] ?? 0,
    Runtime: task["runtime"] ?? "",
    Networks: list(task["networksAdvanceds"]).map(network),
    LogDriver: optional(task["logDriver"], (driver) => ({ Name: driver["name"], Options: driver["options"] ?? {} })),
  };
}

function containerSpec(container: Properties): Json {
  return {
    Image: withTag(String(container["image"])),
    Labels: labelsToMap(container["labels"]) ?? {},
    Command: container["commands"] ?? [],
    Args: container["args"] ?? [],
    Hostname: container["hostname"] ?? "",
    Env: environment(object(container["env"])),
    Dir: container["dir"] ?? "",
    User: container["user"] ?? "",
    Groups: container["groups"] ?? [],
    Privileges: optional(container["privileges"], privileges),
    ReadOnly: container["readOnly"] ?? false,
    Mounts: list(container["mounts"]).map(mount),
    StopSignal: container["stopSignal"] ?? "",
    StopGracePeriod: nanoseconds(container["stopGracePeriod"]),
    Healthcheck: healthcheck(object(container["healthcheck"])),
    Hosts: list(container["hosts"]).map(({ host, ip }) => `${String(ip)} ${String(host)}`),
    DNSConfig: dnsConfig(object(container["dnsConfig"])),
    Secrets: list(container["secrets"]).map((secret) => ({
      File: file(secret),
      SecretID: secret["secretId"],
      SecretName: secret["secretName"] ?? "",
    })),
    Configs: list(container["configs"]).map((config) => ({
      File: file(config),
      ConfigID: config["configId"],
      ConfigName: config["configName"] ?? "",
    })),
    Isolation: container["isolation"] ?? "",
    Sysctls: container["sysctl"] ?? {},
    CapabilityAdd: container["capAdds"],
    CapabilityDrop: container["capDrops"],
    Init: container["init"] ?? false,
  };
}

/**
 * The official provider sends the variables in the order of a Go map, which is another one each time. To the swarm
 * another order is another task: two variables are enough for any update to restart the tasks. So it is here.
 */
function environment(env: Properties): string[] {
  const entries = Object.entries(env).map(([name, value]) => `${name}=${String(value)}`);
  for (let i = entries.length - 1; i > 0; i--) {
    const other = randomInt(i + 1);
    [entries[i], entries[other]] = [entries[other] as string, entries[i] as string];
  }
  return entries;
}

function privileges(given: Properties): Json {
  return {
    // The provider puts `registry` where `file` belongs.
    CredentialSpec: optional(given["credentialSpec"], (spec) => ({ File: spec["registry"] ?? "" })),
    SELinuxContext: optional(given["seLinuxContext"], (context) => ({
      Disable: context["disable"] ?? false,
      User: context["user"] ?? "",
      Role: context["role"] ?? "",
      Type: context["type"] ?? "",
      Level: context["level"] ?? "",
    })),
  };
}

function mount(given: Properties): Json {
  return {
    Type: given["type"],
    Target: given["target"],
    Source: given["source"] ?? "",
    ReadOnly: given["readOnly"] ?? false,
    BindOptions: optional(given["bindOptions"], (options) => ({ Propagation: options["propagation"] ?? "" })),
    VolumeOptions: optional(given["volumeOptions"], (options) => ({
      NoCopy: options["noCopy"] ?? false,
      Labels: labelsToMap(options["labels"]) ?? {},
      DriverConfig: { Name: options["driverName"] ?? "", Options: options["driverOptions"] ?? {} },
    })),
    TmpfsOptions: optional(given["tmpfsOptions"], (options) => ({
      SizeBytes: options["sizeBytes"] ?? 0,
      Mode: options["mode"] ?? 0,
    })),
  };
}

function healthcheck(given: Properties): Json {
  return {
    Test: given["tests"] ?? [],
    Interval: nanoseconds(given["interval"]),
    Timeout: nanoseconds(given["timeout"]),
    StartPeriod: nanoseconds(given["startPeriod"]),
    Retries: given["retries"] ?? 0,
  };
}

function dnsConfig(given: Properties): Json {
  return {
    Nameservers: given["nameservers"] ?? [],
    Search: given["searches"] ?? [],
    Options: given["options"] ?? [],
  };
}

function file(given: Properties): Json {
  return { Name: given["fileName"], UID: given["fileUid"], GID: given["fileGid"], Mode: given["fileMode"] ?? 0 };
}

function resources(given: Properties): Json {
  return {
    Limits: optional(given["limits"], amounts),
    Reservations: optional(given["reservation"], (reservation) => ({
      ...amounts(reservation),
      GenericResources: genericResources(object(reservation["genericResources"])),
    })),
  };
}

function amounts(given: Properties): Json {
  return { NanoCPUs: given["nanoCpus"] ?? 0, MemoryBytes: given["memoryBytes"] ?? 0 };
}

function genericResources(given: Properties): Json[] {
  const pairs = (specs: unknown) => texts(specs).map((spec) => spec.split("=") as [string, string]);
  return [
    ...pairs(given["namedResourcesSpecs"]).map(([Kind, Value]) => ({ NamedResourceSpec: { Kind, Value } })),
    ...pairs(given["discreteResourcesSpecs"]).map(([Kind, Value]) => ({
      DiscreteResourceSpec: { Kind, Value: Number(Value) },
    })),
  ];
}

function restartPolicy(given: unknown): Json {
  if (given === undefined) return {};
  const policy = object(given);
  return {
    Condition: policy["condition"] ?? "",
    Delay: nanoseconds(policy["delay"]),
    MaxAttempts: policy["maxAttempts"] ?? 0,
    Window: nanoseconds(policy["window"]),
  };
}

function placement(given: Properties): Json {
  return {
    Constraints: texts(given["constraints"]),
    Preferences: texts(given["prefs"]).map((SpreadDescriptor) => ({ Spread: { SpreadDescriptor } })),
    Platforms: list(given["platforms"]).map(({ architecture, os }) => ({ Architecture: architecture, OS: os })),
    MaxReplicas: given["maxReplicas"] ?? 0,
  };
}

function network(given: Properties): Json {
  const target = given["id"] === undefined || given["id"] === "" ? given["name"] : given["id"];
  if (target === undefined || target === "") throw new Error("network 'name' or 'id' must be specified");
  const options = texts(given["driverOpts"]).flatMap((option) => {
    const [name, ...value] = option.split("=");
    return value.length === 0 ? [] : [[name, value.join("=")]];
  });
  return { Target: target, Aliases: texts(given["aliases"]), DriverOpts: Object.fromEntries(options) as Json };
}

function mode(given: Properties): Json {
  return {
    Replicated: optional(given["replicated"], ({ replicas }) => ({ Replicas: replicas ?? 0 })),
    Global: given["global"] === true ? {} : undefined,
  };
}

function rolloutConfig(given: unknown): Json | undefined {
  return optional(given, (config) => ({
    Parallelism: config["parallelism"] ?? 0,
    Delay: nanoseconds(config["delay"]),
    FailureAction: config["failureAction"] ?? "",
    Monitor: nanoseconds(config["monitor"]),
    MaxFailureRatio: Number(config["maxFailureRatio"] ?? 0),
    Order: config["order"] ?? "",
  }));
}

function endpointSpec(given: Properties): Json {
  return {
    Mode: given["mode"] ?? "",
    Ports: list(given["ports"]).map((port) => ({
      Name: port["name"] ?? "",
      Protocol: port["protocol"],
      TargetPort: port["targetPort"],
      PublishedPort: port["publishedPort"] ?? 0,
      PublishMode: port["publishMode"],
    })),
  };
}

/** The name in its short form; one without tag and digest means `latest`, and is sent and read back as such. */
export function withTag(image: string): string {
  const short = image.replace(/^(?:index\.)?docker\.io\/(?:library\/)?/, "");
  const name = short.slice(short.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? short : `${short}:latest`;
}

function nanoseconds(value: unknown): number {
  return typeof value === "string" ? (parseDuration(value) ?? 0) : 0;
}

function object(value: unknown): Properties {
  return (value ?? {}) as Properties;
}

function list(value: unknown): Properties[] {
  return (value ?? []) as Properties[];
}

function texts(value: unknown): string[] {
  return (value ?? []) as string[];
}

function optional<Made>(value: unknown, make: (given: Properties) => Made): Made | undefined {
  return value === undefined ? undefined : make(value as Properties);
}
