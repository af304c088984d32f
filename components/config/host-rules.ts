import type { Finding, Path } from "./findings.ts";
import type { HostEntry } from "./host.ts";
import { hostKeyLine } from "./jump.ts";
import type { Parts } from "./lenient.ts";
import { placeholder } from "./placeholders.ts";
import { list, show } from "./refusals.ts";
import type { Environment } from "./stack.ts";

/* Rules across the hosts of a stack file. */

export type HostParts = Parts<HostEntry>;

export function hostRules(hosts: readonly HostParts[], environment: Environment, stack: string): Finding[] {
  if (hosts.length === 0) return [];
  return [
    ...twice(hosts, (host) => host.name, "name", "is the name of another host"),
    ...twice(
      hosts,
      ({ address, port }) => address && `${address}:${port ?? 22}`,
      "address",
      "is the address and port of another host",
    ),
    ...twice(hosts, (host) => host.privateAddress, "privateAddress", "is the private address of another host"),
    ...hosts.flatMap((host, index) => (environment === "local" ? [] : realHostRules(["hosts", index], host, stack))),
    ...edgeRules(hosts),
    ...managerRules(hosts),
    ...(hosts.length > 1 ? hosts.flatMap((host, index) => privateAddressRules(["hosts", index], host)) : []),
    ...drainRules(hosts),
  ];
}

function twice(
  hosts: readonly HostParts[],
  key: (host: HostParts) => string | undefined,
  field: string,
  wrong: string,
): Finding[] {
  const keys = hosts.map(key);
  return keys.flatMap((value, index) =>
    value === undefined || keys.indexOf(value) === index
      ? []
      : [{ path: ["hosts", index, field], message: `${wrong}, got ${show(value)}; every host is listed once` }],
  );
}

function realHostRules(path: Path, host: HostParts, stack: string): Finding[] {
  const { address, publicAddress } = host;
  return [
    ...placeholder([...path, "address"], address, address, "write the address of your machine"),
    ...placeholder([...path, "publicAddress"], publicAddress, publicAddress, "write what visitors reach"),
    ...hostKeyRules(path, host, stack),
  ];
}

/** Outside the local environment nobody is believed to be the machine because they answer at its address. */
export function hostKeyRules(path: Path, host: HostParts, stack: string): Finding[] {
  const { address, hostKey, port = 22, jump } = host;
  if (hostKey !== undefined) return [];
  const unreal = placeholder([], address, address, "").length > 0;
  const dialled = address === undefined || unreal ? "<address>" : address;
  const line = hostKeyLine(dialled, port, jump === undefined ? undefined : { jump, stack });
  return [{ path: [...path, "hostKey"], message: `is missing; run ${line} and paste the line it prints` }];
}

function edgeRules(hosts: readonly HostParts[]): Finding[] {
  if (hosts.some((host) => host.labels?.edge === "true")) return [];
  const message = 'has no edge; give at least one host the label `edge: "true"`';
  return [{ path: ["hosts"], message }];
}

/** Decisions need more than half of the managers: an even number costs one host more and survives no loss more. */
function managerRules(hosts: readonly HostParts[]): Finding[] {
  const managers = hosts.filter((host) => (host.role ?? "manager") === "manager");
  const count = managers.length;
  if ([1, 3, 5].includes(count)) return [];
  const names = list(
    managers.map(({ name }, index) => name ?? `hosts[${index}]`),
    "and",
  );
  const message =
    count === 0
      ? "has no manager; give 1, 3 or 5 hosts the role manager"
      : count > 5
        ? `has more managers than help, got ${count} (${names}): each confirms every change; give all but 5 the role worker`
        : count === 2
          ? `has 2 managers, which survive the loss of neither, got ${names}; give one the role worker, or make it 3 managers`
          : `has 4 managers, which survive no more losses than 3, got ${names}; give one the role worker, or make it 5 managers`;
  return [{ path: ["hosts"], message }];
}

function privateAddressRules(path: Path, { privateAddress }: HostParts): Finding[] {
  if (privateAddress !== undefined) return [];
  const message = "is missing; write the address at which the other hosts reach this one, for example 10.0.0.11";
  return [{ path: [...path, "privateAddress"], message }];
}

function drainRules(hosts: readonly HostParts[]): Finding[] {
  if (hosts.some((host) => (host.state ?? "active") === "active")) return [];
  return [{ path: ["hosts"], message: "leaves no host to run anything, got drain for all; keep one of them active" }];
}

/** Where the volumes of a system are: each on one host, which a stack of several hosts must name. */
export function volumeRules(
  hosts: readonly HostParts[],
  given: Readonly<Record<string, string>>,
  users: Readonly<Record<string, readonly string[]>>,
): Finding[] {
  const names = [...new Set(hosts.flatMap(({ name }) => (name === undefined ? [] : [name])))];
  const volumes = Object.keys(users);
  const choice = list(names, "or");
  const missing =
    hosts.length < 2
      ? []
      : volumes
          .filter((volume) => !(volume in given))
          .map((volume) => ({
            path: ["volumes", volume],
            message: `is missing; write the host that keeps this volume: ${choice}`,
          }));
  const placed = Object.entries(given).flatMap(([volume, name]): Finding[] => {
    const path = ["volumes", volume];
    if (!(volume in users)) {
      const cure = volumes.length === 0 ? "remove it" : `use ${list(volumes, "or")}`;
      return [{ path, message: `is not a volume of the system; ${cure}` }];
    }
    if (!names.includes(name)) return [{ path, message: `is not a host, got ${show(name)}; use ${choice}` }];
    if (hosts.length < 2 || hosts.find((host) => host.name === name)?.state !== "drain") return [];
    const cure = "keep the host active, or move the volume's data first and name its new host";
    const stopped = list(users[volume] ?? [], "and");
    return [{ path, message: `is on a host that is drained, which stops ${stopped}, got ${show(name)}; ${cure}` }];
  });
  return [...missing, ...placed, ...sharedRules(given, users)];
}

/** A service whose volumes are on two hosts could run on neither. */
function sharedRules(
  given: Readonly<Record<string, string>>,
  users: Readonly<Record<string, readonly string[]>>,
): Finding[] {
  const first = new Map<string, string>();
  return Object.entries(given).flatMap(([volume, name]): Finding[] =>
    (users[volume] ?? []).flatMap((service) => {
      const other = first.get(service);
      if (other === undefined) first.set(service, volume);
      if (other === undefined || given[other] === name) return [];
      const message = `is on another host than ${other}, which ${service} needs as well, got ${show(name)}; write ${show(given[other])}`;
      return [{ path: ["volumes", volume], message }];
    }),
  );
}
