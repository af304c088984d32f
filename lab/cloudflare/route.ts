import { refuse } from "./errors.ts";
import type { Store, Zone } from "./store.ts";
import { demand, type Permission, type Token } from "./tokens.ts";

export interface ApiRequest {
  readonly method: string;
  /** Path below `/client/v4`. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** The body as JSON, read only where the call has one. */
  readonly body: () => Readonly<Record<string, unknown>>;
}

/** What goes into the envelope of a successful answer. */
export interface ApiAnswer {
  readonly result: unknown;
  readonly result_info?: unknown;
  readonly messages?: readonly unknown[];
}

/** A request that has found its route. */
export interface Call {
  readonly request: ApiRequest;
  readonly token: Token;
  readonly store: Store;
  /** Id of the zone or account that the path names. */
  readonly scope: string;
  /** That zone; missing below an account. */
  readonly zone?: Zone;
  /** What stands in the path where the route has `:name`. */
  readonly params: Readonly<Record<string, string>>;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Endpoint {
  /** The token must have one of these; none where the endpoint itself has to find out which. */
  readonly permissions?: readonly Permission[];
  readonly answer: (call: Call) => ApiAnswer;
}

export interface Route {
  /** Below the zone or account, for example `dns_records/:id`. */
  readonly path: string;
  readonly methods: Readonly<Partial<Record<Method, Endpoint>>>;
}

/** Finds the route, the method and the permission for a call, in this order, and answers it. */
export function dispatch(routes: readonly Route[], segments: readonly string[], call: Omit<Call, "params">): ApiAnswer {
  for (const { path, methods } of routes) {
    const params = match(path, segments);
    if (!params) continue;
    const endpoint = methods[call.request.method as Method];
    if (!endpoint) throw refuse.method();
    if (endpoint.permissions) demand(call.token, ...endpoint.permissions);
    return endpoint.answer({ ...call, params });
  }
  throw refuse.noObject(call.request.path);
}

function match(path: string, segments: readonly string[]): Record<string, string> | undefined {
  const parts = path === "" ? [] : path.split("/");
  if (parts.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of parts.entries()) {
    const segment = segments[index] ?? "";
    if (part.startsWith(":")) params[part.slice(1)] = decodeURIComponent(segment);
    else if (part !== segment) return undefined;
  }
  return params;
}

/** The zone of a call that has one. */
export function zoneOf({ zone }: Call): Zone {
  if (!zone) throw new Error("the route is not below a zone");
  return zone;
}

/** Refuses what a list or object is asked for besides the parameters that it knows. */
export function knowing(call: Call, ...parameters: readonly string[]): void {
  for (const key of call.request.query.keys())
    if (!parameters.includes(key)) throw refuse.query(`unknown parameter "${key}"`);
}
