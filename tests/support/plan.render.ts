import type { Route, Site } from "../../components/config/edge.ts";
import { showBytes } from "../../components/shared/size.ts";
import type { Recorded, Recording } from "./mocks.ts";

/*
 * What a program would create, as a text for review: every resource with its type, and below it what people ask about
 * it. Scripts and rendered files have golden files of their own; here they would hide the rest.
 */

export function renderPlan(recording: Recording<unknown>): string {
  const resources = recording.resources.toSorted((a, b) => compare(a.name, b.name) || compare(a.type, b.type));
  const blocks = resources.map((one) => {
    const head = `${one.name}  ${shortType(one.type)}${flags(one)}`;
    return [head, ...details(one).map((line) => `    ${line}`)].join("\n");
  });
  return `${blocks.join("\n")}\n`;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** `docker:index/service:Service` is `docker:Service`. */
const shortType = (type: string): string => type.replace(/:[a-z]+\/[A-Za-z]+:/, ":");

function flags({ protect, retainOnDelete }: Recorded): string {
  const set = [...(protect ? ["protected"] : []), ...(retainOnDelete ? ["kept when removed"] : [])];
  return set.length === 0 ? "" : `  (${set.join(", ")})`;
}

type Inputs = Recorded["inputs"];
const renderers: Readonly<Record<string, (inputs: Inputs) => string[]>> = {
  "docker:index/service:Service": (inputs) => service(inputs as unknown as ServiceInputs),
  "docker:index/network:Network": ({ name, internal, options }) => [
    [name, ...(internal === true ? ["internal"] : []), ...(options === undefined ? [] : ["encrypted"])].join(", "),
  ],
  "docker:index/volume:Volume": ({ name }) => [String(name)],
  "random:index/randomPassword:RandomPassword": ({ length, overrideSpecial }) => [
    `${String(length)} ${typeof overrideSpecial === "string" ? `of ${overrideSpecial}` : "letters and digits"}`,
  ],
  "command:remote:Command": ({ connection, create }) => [
    `on ${(connection as { host: string }).host}: ${firstWords(String(create))}`,
  ],
  "cloudflare:index/dnsRecord:DnsRecord": ({ type, name, content, proxied }) => [
    `${String(type)} ${String(name)} → ${String(content)}${proxied === true ? ", proxied" : ""}`,
  ],
  "cloudflare:index/zoneSetting:ZoneSetting": ({ settingId, value }) => [`${String(settingId)} = ${String(value)}`],
  "cloudflare:index/ruleset:Ruleset": ({ rules }) =>
    (rules as readonly { ref: string; action: string; expression: string }[]).map(
      ({ ref, action, expression }) => `${ref}: ${action} if ${expression}`,
    ),
  "cloudflare:index/zeroTrustAccessApplication:ZeroTrustAccessApplication": ({ destinations }) =>
    (destinations as readonly { uri: string }[]).map(({ uri }) => uri),
  "berth:service:Job": ({ image }) => [shortImage(String(image))],
  "berth:service:Schedule": ({ image, cron, timeZone }) => [
    `${shortImage(String(image))} at ${String(cron)} ${String(timeZone)}`,
  ],
  "berth:edge:Edge": ({ image, limits, sites }) => edge(String(image), limits as Limits, sites as readonly Site[]),
};

const details = ({ type, inputs }: Recorded): string[] => renderers[type]?.(inputs) ?? [];

/** What is run, without its long arguments. */
const firstWords = (text: string): string => {
  const line = text.split("\n")[0] ?? "";
  return line.length > 60 ? `${line.slice(0, 59)}…` : line;
};

/** `registry.test/api:1.0.0@sha256:2f77…` is `api:1.0.0@2f77`: enough to see which pin it is. */
function shortImage(ref: string): string {
  return ref.replace(/^registry\.test\//, "").replace(/@sha256:([0-9a-f]{4}).*$/, "@$1");
}

export interface ServiceInputs {
  readonly name: string;
  readonly mode: { readonly replicated: { readonly replicas: number } };
  readonly endpointSpec: { readonly mode: string; readonly ports?: readonly unknown[] };
  readonly updateConfig: { readonly order: string; readonly parallelism: number };
  readonly taskSpec: {
    readonly containerSpec: {
      readonly image: string;
      readonly args?: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly user?: string;
      readonly readOnly: boolean;
      readonly capAdds?: readonly string[];
      readonly capDrops: readonly string[];
      readonly healthcheck: {
        readonly tests: readonly string[];
        readonly interval: string;
        readonly startPeriod: string;
      };
      readonly mounts: readonly {
        readonly type: string;
        readonly target: string;
        readonly source?: string;
        readonly tmpfsOptions?: { readonly sizeBytes: number };
      }[];
      readonly secrets: readonly { readonly fileName: string }[];
      readonly configs?: readonly { readonly fileName: string }[];
      readonly stopGracePeriod: string;
    };
    readonly resources: { readonly limits: Amounts; readonly reservation?: Partial<Amounts> };
    readonly networksAdvanceds: readonly { readonly id: string; readonly aliases: readonly string[] }[];
    readonly placement?: { readonly constraints: readonly string[] };
  };
}

interface Amounts {
  readonly memoryBytes: number;
  readonly nanoCpus: number;
}

/** What is asked, and for how long a good answer is kept back after the first one. */
function checkText([, ...words]: readonly string[]): string {
  const line = words.join(" ");
  const [, asked = line, seconds] = /^if ! (.*); then \[ .*; exit 1; fi; if .*; then sleep (\d+);/.exec(line) ?? [];
  return seconds === undefined ? asked : `${asked}, then a pause of ${seconds} s`;
}

function service({ name, mode, updateConfig, taskSpec }: ServiceInputs): string[] {
  const { containerSpec: container, resources, networksAdvanceds, placement } = taskSpec;
  const { healthcheck: health } = container;
  // A secret brings a variable along that names its file.
  const own = Object.entries(container.env).filter(([key, value]) => `/run/secrets/${key}` !== `${value}_FILE`);
  const env = own.map(([key, value]) => `${key}=${value}`);
  const batches = updateConfig.parallelism === 0 ? "all at once" : `${updateConfig.parallelism} at a time`;
  return [
    `${name} × ${mode.replicated.replicas}, ${shortImage(container.image)}`,
    ...labelled("command", container.args, " "),
    `limits ${amounts(resources.limits)}${resources.reservation ? `; reserved ${amounts(resources.reservation)}` : ""}`,
    `confined ${confinement(container).join(", ")}`,
    `health every ${health.interval} after ${health.startPeriod}: ${checkText(health.tests)}`,
    `rollout ${updateConfig.order}, ${batches}, ${container.stopGracePeriod} to drain`,
    `networks ${networksAdvanceds.map(({ id, aliases }) => `${id.replace(/^networks-|(-encrypted)?-id$/g, "")} as ${aliases.join(", ")}`).join("; ")}`,
    ...labelled("placed", placement?.constraints),
    ...labelled("mounts", container.mounts.map(mountText)),
    ...labelled(
      "files",
      container.configs?.map(({ fileName }) => fileName),
    ),
    ...labelled(
      "secrets",
      container.secrets.map(({ fileName }) => fileName),
    ),
    ...labelled("env", env),
  ];
}

const labelled = (label: string, values: readonly string[] | undefined, joint = ", "): string[] =>
  values === undefined || values.length === 0 ? [] : [`${label} ${values.join(joint)}`];

function amounts({ memoryBytes, nanoCpus }: Partial<Amounts>): string {
  return [
    ...(memoryBytes === undefined ? [] : [showBytes(memoryBytes)]),
    ...(nanoCpus === undefined ? [] : [`${nanoCpus / 1e9} ${nanoCpus === 1e9 ? "core" : "cores"}`]),
  ].join(", ");
}

function confinement(container: ServiceInputs["taskSpec"]["containerSpec"]): string[] {
  const { user, readOnly, capAdds = [], capDrops } = container;
  return [
    `user ${user ?? "of the image"}`,
    readOnly ? "read-only" : "writable",
    capDrops.includes("ALL") ? "no capabilities" : "default capabilities",
    ...(capAdds.length > 0 ? [`but ${capAdds.join(", ")}`] : []),
  ];
}

type Mount = ServiceInputs["taskSpec"]["containerSpec"]["mounts"][number];
const mountText = ({ type, target, source, tmpfsOptions }: Mount): string =>
  type === "tmpfs"
    ? `${target} (${showBytes(tmpfsOptions?.sizeBytes ?? 0)} of memory)`
    : `${source ?? "?"} at ${target}`;

type Limits = Readonly<Record<string, { readonly rate: string; readonly burst: number }>>;

function edge(image: string, limits: Limits, sites: readonly Site[]): string[] {
  return [
    shortImage(image),
    ...Object.entries(limits).map(([name, { rate, burst }]) => `limit ${name}: ${rate}, burst ${burst}`),
    ...sites.flatMap(({ host, headers, routes }) => [
      host,
      ...routes.map((route) => `    ${routeText(route)}`),
      ...Object.entries(headers).map(([name, value]) => `    ${name}: ${value}`),
    ]),
  ];
}

function routeText(route: Route): string {
  const patience = route.connectTimeout ? `${route.connectTimeout} to connect, ${route.timeout}` : route.timeout;
  const traits = [
    ...(route.access === "operators" ? ["operators only"] : []),
    ...(route.limit === undefined ? [] : [`limit ${route.limit}`]),
    ...(route.websocket ? ["websocket"] : []),
    ...(route.stripPrefix ? ["prefix stripped"] : []),
    `body ${route.bodySize}`,
    patience,
    ...(route.accessLog ? [] : ["not logged"]),
  ];
  return `${route.path} → ${route.service}: ${traits.join(", ")}`;
}
