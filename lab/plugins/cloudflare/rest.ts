import { isEqual } from "../framework/diff.ts";
import type { CheckFailure, Context, Properties, ResourceType } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";
import { schemaFailures, type Attribute, type Attributes } from "./attributes.ts";
import { ApiFailure, type Client } from "./client.ts";
import { camelCase, snakeCase } from "./fields.ts";
import { diff, importInputs, plan, project, recall, settle } from "./plan.ts";

/** A resource whose life is one call each to a path with a JSON body: most of the provider. */
export interface Description {
  /** Tie the names to the official SDK: `satisfies Record<keyof cloudflare.XArgs, Attribute>`. */
  readonly inputs: Attributes;
  /** What only the service says. */
  readonly outputs: Attributes;
  /** Inputs that stand in the path, not in the body. */
  readonly inPath: readonly string[];
  /** Where such objects are listed or, for a `single`, where it is. */
  readonly path: (properties: Properties) => string;
  /** In the real provider's words, for example `<zone_id>/<ruleset_id>`. */
  readonly importForm: string;
  /** Properties out of the parts of an import id, its `id` among them. */
  readonly imported: (parts: readonly string[]) => Properties | undefined;
  /** Every zone has it; its id is the zone's, and it cannot be deleted unless `delete` is given. */
  readonly single?: boolean;
  readonly create: "POST" | "PUT" | "PATCH";
  /** Without it every change is a replacement, or impossible. */
  readonly update?: "PUT" | "PATCH";
  readonly delete?: "DELETE";
  readonly secretOutputs?: readonly string[];
  readonly check?: (news: Properties) => readonly CheckFailure[];
  /** Last changes to a plan. */
  readonly amend?: (planned: Properties) => Properties;
  /** Last changes to what the service said. */
  readonly read?: (live: Properties, olds: Properties) => Properties;
  /** Last changes to a body. */
  readonly send?: (body: Properties) => Properties;
}

export function restResource(description: Description): ResourceType<Client> {
  const { inputs, outputs, amend = (planned: Properties): Properties => planned } = description;
  const attributes: Attributes = { ...inputs, ...readOnly(outputs) };
  const told = Object.entries(attributes);
  const place = (properties: Properties, id: string) =>
    description.single === true ? description.path(properties) : `${description.path(properties)}/${id}`;
  const body = (planned: Properties, olds: Properties = {}, patch = false) => {
    const sent = Object.entries(inputs).filter(([key]) => !description.inPath.includes(key));
    const whole = toBody(Object.fromEntries(sent), planned, olds, patch);
    return description.send?.(whole) ?? whole;
  };
  const update = async (id: string, olds: Properties, news: Properties, context: Context<Client>) => {
    const planned = amend(plan(inputs, news));
    const method = description.update ?? "PUT";
    const request = { method, path: place(news, id), body: body(planned, olds, method === "PATCH") };
    const live = fromBody(attributes, await context.client.call(request, context));
    return { ...keep(attributes, olds), ...settle(attributes, planned, live) };
  };
  return {
    ...(description.secretOutputs ? { secretOutputs: description.secretOutputs } : {}),
    computed: told.filter(([, each]) => isDecidedElsewhere(each)).map(([key]) => key),
    volatile: told.filter(([, each]) => isDecidedElsewhere(each) && isVolatile(each)).map(([key]) => key),
    check(news) {
      const failures = schemaFailures(inputs, news);
      return { inputs: news, failures: failures.length > 0 ? failures : [...(description.check?.(news) ?? [])] };
    },
    diff: ({ olds, news }) => diff(inputs, olds, amend(plan(inputs, news, olds))),
    async create(news, context) {
      const planned = amend(plan(inputs, news));
      const request = { method: description.create, path: description.path(news), body: body(planned) };
      const result = await context.client.call(request, context);
      const live = fromBody(attributes, result);
      const id = description.single === true ? news["zoneId"] : result["id"];
      return { id: String(id), outputs: settle(attributes, planned, live) };
    },
    async read(id, olds, oldInputs, context) {
      const imported = Object.keys(olds).length === 0;
      const found = imported ? importedProperties(description, id) : { ...olds, id };
      const { id: own, ...known } = found;
      const result = await find(() => context.client.call({ method: "GET", path: place(found, String(own)) }, context));
      if (!result) return undefined;
      const fresh = { ...fromBody(attributes, result), ...pathProperties(description, known) };
      const live = recall(attributes, description.read?.(fresh, olds) ?? fresh, olds);
      const liveInputs = imported ? importInputs(inputs, live) : (project(live, oldInputs) as Properties);
      return { id: String(own), outputs: live, inputs: liveInputs };
    },
    ...(description.update ? { update: ({ id, olds, news }, context) => update(id, olds, news, context) } : {}),
    async delete(id, olds, context) {
      if (description.delete) await context.client.call({ method: "DELETE", path: place(olds, id) }, context);
      else
        context.log?.("warning", `${description.path(olds)} keeps its value at Cloudflare; change it there to undo it`);
    },
  };
}

/** The import id's parts as properties, refused unless it has the form that the real provider asks for. */
function importedProperties({ importForm, imported }: Description, id: string): Properties {
  const parts = id.split("/");
  const found = parts.includes("") ? undefined : imported(parts);
  if (!found) throw new Error(`invalid ID: expected ${importForm}, got "${id}"`);
  return found;
}

/** `<zone_id>/<…>` or `<account_id>/<…>`. */
export function scopedImport(scope: "zoneId" | "accountId") {
  return ([owner, id, ...rest]: readonly string[]): Properties | undefined =>
    owner === undefined || id === undefined || rest.length > 0 ? undefined : { [scope]: owner, id };
}

/** `zones/<zone_id>/<…>` or `accounts/<account_id>/<…>`. */
export function eitherImport([kind, owner, id, ...rest]: readonly string[]): Properties | undefined {
  const scope = { zones: "zoneId", accounts: "accountId" }[kind ?? ""];
  return scope === undefined || owner === undefined || id === undefined || rest.length > 0
    ? undefined
    : { [scope]: owner, id };
}

/** `<zone_id>` alone. */
export function zoneImport([zone, ...rest]: readonly string[]): Properties | undefined {
  return zone === undefined || rest.length > 0 ? undefined : { zoneId: zone, id: zone };
}

/** Refuses inputs that name both or neither of zone and account. */
export function eitherScope(news: Properties): readonly CheckFailure[] {
  if ((news["zoneId"] === undefined) !== (news["accountId"] === undefined)) return [];
  return [{ property: "zoneId", reason: "exactly one of accountId and zoneId must be given" }];
}

/** `zones/…` or `accounts/…`, whichever is named. */
export function scopePath(properties: Properties): string {
  const { accountId, zoneId } = properties;
  return accountId === undefined ? `zones/${String(zoneId)}` : `accounts/${accountId as string}`;
}

function readOnly(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).map(([key, each]) => [key, { ...each, readOnly: true }]));
}

function isDecidedElsewhere({ computed, readOnly, initial }: Attribute): boolean {
  return computed === true || readOnly === true || initial !== undefined;
}

function isVolatile({ stable, initial }: Attribute): boolean {
  return stable !== true && initial === undefined;
}

function pathProperties({ inPath }: Description, known: Properties): Properties {
  return Object.fromEntries(Object.entries(known).filter(([key]) => inPath.includes(key)));
}

/** What an update's answer does not repeat. */
function keep(attributes: Attributes, olds: Properties): Properties {
  return Object.fromEntries(Object.entries(olds).filter(([key]) => attributes[key]?.kept === true));
}

async function find(get: () => Promise<Properties>): Promise<Properties | undefined> {
  try {
    return await get();
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 404) return undefined;
    throw error;
  }
}

/** The service's form, with null where an update takes something away; a patch has the changes alone. */
function toBody(attributes: Attributes, planned: Properties, olds: Properties, patch: boolean): Properties {
  const body: Properties = {};
  for (const [key, attribute] of Object.entries(attributes)) {
    const [value, before] = [planned[key], olds[key]];
    if (attribute.readOnly === true || (patch && isEqual(value, before))) continue;
    const name = attribute.wire ?? snakeCase(key);
    if (value !== undefined) body[name] = toWire(attribute, value, before);
    else if (before !== undefined && attribute.computed !== true) body[name] = null;
  }
  return body;
}

function toWire(attribute: Attribute, value: unknown, before?: unknown): unknown {
  const { type, of, attributes } = attribute;
  if (Array.isArray(value) && of) return value.map((each) => toWire(of, each));
  if (!isPlainObject(value)) return value;
  if (type === "map" && of)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, toWire(of, each)]));
  return attributes ? toBody(attributes, value, isPlainObject(before) ? before : {}, false) : value;
}

function fromBody(attributes: Attributes, result: Properties): Properties {
  const known = Object.entries(attributes).map(([key, attribute]) => {
    // What the stand-in does not have it does not see either.
    const value = attribute.type === "foreign" ? undefined : result[attribute.wire ?? snakeCase(key)];
    return [key, value === null ? undefined : fromWire(attribute, value)] as const;
  });
  return Object.fromEntries(known.filter(([, value]) => value !== undefined));
}

function fromWire(attribute: Attribute, value: unknown): unknown {
  const { type, of, attributes } = attribute;
  if (Array.isArray(value)) return of ? value.map((each) => fromWire(of, each)) : value;
  if (!isPlainObject(value)) return value;
  if (type === "map" && of)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fromWire(of, each)]));
  if (attributes) return fromBody(attributes, value);
  const given = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(given.map(([key, each]) => [camelCase(key), each]));
}
