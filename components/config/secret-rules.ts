import * as pulumi from "@pulumi/pulumi";
import type { Problem } from "../shared/errors.ts";
import type { RawConfig } from "./load.ts";
import { isKeyOf } from "./origin-pulls.ts";
import { list } from "./refusals.ts";
import { urlProblem } from "./store-rules.ts";
import type { SystemParts } from "./system-rules.ts";
import type { System } from "./system.ts";

/* Secrets of a stack: which are missing, which stand in clear. No message ever holds a value. */

const setLine = (key: string, stack: string): string => `\`pulumi config set --secret ${key} --stack ${stack}\``;

/** Keys under `berth:` that are secrets. */
export function isSecretKey(key: string): boolean {
  return ["berth:sshKey", "berth:dnsToken", "berth:unlockKey", "berth:originPullKey"].includes(key);
}

export function secretProblems(raw: RawConfig, system: SystemParts | undefined): Problem[] {
  const secretKeys = new Set(raw.secretKeys);
  const present = Object.keys(raw.values);
  const inClear = (key: string): Problem[] => {
    if (!present.includes(key) || secretKeys.has(key)) return [];
    return [
      {
        path: key,
        message: `stands in clear in the stack file; replace it where it was issued, then run ${setLine(key, raw.stack)}`,
      },
    ];
  };
  const needless = present
    .filter((key) => key.startsWith("berth:") && !isSecretKey(key) && secretKeys.has(key))
    .map((key) => ({
      path: key,
      message: "is stored as a secret, but is no secret and would be shown; write it in clear",
    }));
  return [
    ...needless,
    ...inClear("berth:sshKey"),
    ...inClear("berth:dnsToken"),
    ...inClear("berth:unlockKey"),
    ...dnsTokenProblems(raw),
    ...inClear("berth:originPullKey"),
    ...originPullKeyProblems(raw),
    ...inClear("cloudflare:apiToken"),
    ...tokenProblems(raw),
    ...(system === undefined ? [] : namedProblems(raw, system, inClear)),
  ];
}

function tokenProblems(raw: RawConfig): Problem[] {
  const zone = raw.values["berth:cloudflare"];
  if (zone === undefined || zone === "none") return [];
  if (raw.values["cloudflare:apiToken"] ?? raw.environment?.CLOUDFLARE_API_TOKEN) return [];
  const message = `is missing; run ${setLine("cloudflare:apiToken", raw.stack)} or set CLOUDFLARE_API_TOKEN`;
  return [{ path: "cloudflare:apiToken", message }];
}

/** A challenge by DNS is asked for where it is decided, whether or not the rest of the file is right. */
function dnsTokenProblems(raw: RawConfig): Problem[] {
  const sources = raw.values["berth:certificates"];
  const text = typeof sources === "string" ? sources : JSON.stringify(sources ?? {});
  if (!/"challenge":\s*"dns-01"/.test(text) || raw.values["berth:dnsToken"]) return [];
  const right = "a token that may edit the DNS of the zone and nothing else";
  return [
    { path: "berth:dnsToken", message: `is missing; make ${right}, and run ${setLine("berth:dnsToken", raw.stack)}` },
  ];
}

/** A key that Cloudflare would refuse is refused before anything is contacted. */
function originPullKeyProblems(raw: RawConfig): Problem[] {
  const zone = raw.values["berth:cloudflare"];
  const given = (typeof zone === "string" ? readJson(zone) : zone) as Wanted | undefined;
  const certificate = given?.originPulls?.certificate;
  const key = raw.values["berth:originPullKey"];
  const path = "berth:originPullKey";
  const line = setLine(path, raw.stack);
  if (typeof certificate !== "string") {
    return key === undefined ? [] : [{ path, message: "is the key of no certificate; remove it" }];
  }
  if (typeof key !== "string" || key === "") {
    return [{ path, message: `is missing; run ${line} <key.pem with the key of cloudflare.originPulls.certificate` }];
  }
  const fits = isKeyOf(key, certificate);
  if (fits === true) return [];
  const wrong = fits === null ? "cannot be read as a private key in PEM" : "is not the key of the certificate";
  return [{ path, message: `${wrong}; run ${line} <key.pem` }];
}

interface Wanted {
  readonly originPulls?: { readonly certificate?: unknown };
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Secrets in the namespace of the system. */
function namedProblems(raw: RawConfig, system: SystemParts, inClear: (key: string) => Problem[]): Problem[] {
  const prefix = `${system.name ?? ""}:`;
  const specs = system.secrets ?? {};
  const supplied = Object.keys(specs).filter((name) => specs[name]?.kind === "supplied");
  const given = Object.keys(raw.values).filter((key) => key.startsWith(prefix));
  const missing = Object.entries(specs)
    .filter(([name, spec]) => spec.kind === "supplied" && !spec.optional && !raw.values[prefix + name])
    .map(([name]) => ({ path: prefix + name, message: `is missing; run ${setLine(prefix + name, raw.stack)}` }));
  const unknown = given
    .filter((key) => !supplied.includes(key.slice(prefix.length)))
    .map((key) => {
      const kind = specs[key.slice(prefix.length)]?.kind;
      const wrong = kind === undefined ? "is not a secret of the system" : `is ${kind} by berth`;
      const cure = supplied.length === 0 ? "remove it" : `remove it; supplied ones are ${list(supplied, "and")}`;
      return { path: key, message: `${wrong}; ${cure}` };
    });
  const urls = Object.values(system.data ?? {}).flatMap((store) => {
    const key = prefix + (store.kind === "managed" ? (store.urlSecret ?? "") : "");
    const value = raw.values[key];
    const wrong = store.kind === "managed" && typeof value === "string" && value !== "" ? urlProblem(store, value) : "";
    return wrong ? [{ path: key, message: wrong }] : [];
  });
  return [...missing, ...unknown, ...urls, ...given.flatMap(inClear)];
}

/** Supplied secrets as Pulumi secrets, and the names of optional ones that have no value. */
export function suppliedSecrets(
  raw: RawConfig,
  system: System,
): { supplied: Record<string, pulumi.Output<string>>; unset: string[] } {
  const names = Object.keys(system.secrets).filter((name) => system.secrets[name]?.kind === "supplied");
  const value = (name: string): unknown => raw.values[`${system.name}:${name}`];
  // Swarm takes no empty secret, so an empty value is none.
  const set = names.filter((name) => (value(name) ?? "") !== "");
  return {
    supplied: Object.fromEntries(set.map((name) => [name, pulumi.secret(String(value(name)))])),
    unset: names.filter((name) => !set.includes(name)),
  };
}
