import type { Faults } from "./faults.ts";
import { refuse } from "./errors.ts";
import { listRecords, page } from "./list.ts";
import { readRecord, type RecordBody } from "./record.ts";
import { initialValue, readSetting, settingIds } from "./settings.ts";
import type { Store, Zone } from "./store.ts";
import { bearer, demand, findToken, type Token } from "./tokens.ts";

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

const identifier = /^[0-9a-f]{32}$/;
const nameServers = ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"];

/** The part of Cloudflare's API v4 that berth's resources use; whatever else is asked for is refused. */
export class Api {
  readonly #store: Store;
  readonly #faults: Faults;
  readonly #tokenFile: string;

  constructor(store: Store, faults: Faults, tokenFile: string) {
    this.#store = store;
    this.#faults = faults;
    this.#tokenFile = tokenFile;
  }

  answer(request: ApiRequest): ApiAnswer {
    this.#faults.strike(request.method, request.path);
    const token = findToken(this.#tokenFile, bearer(request.authorization));
    const [root, ...rest] = request.path.split("/").filter(Boolean);
    if (root === "user" && rest.join("/") === "tokens/verify") return verify(request, token);
    if (!token) throw refuse.unknownToken();
    if (root !== "zones") throw refuse.noRoute();
    const [zoneId, collection, ...below] = rest;
    if (zoneId === undefined) return this.#listZones(request, token);
    const zone = this.#store.zones.find(({ id }) => id === zoneId);
    if (!zone) throw refuse.noObject(request.path);
    if (collection === undefined) {
      allow(request, "GET");
      demand(token, "Zone Read");
      return { result: zoneAnswer(zone) };
    }
    if (collection === "dns_records" && below.length === 0) return this.#records(request, token, zone);
    if (collection === "dns_records" && below.length === 1) return this.#record(request, token, zone, below[0] ?? "");
    if (collection === "settings" && below.length <= 1) return this.#settings(request, token, zone, below[0]);
    throw refuse.noObject(request.path);
  }

  #listZones(request: ApiRequest, token: Token): ApiAnswer {
    allow(request, "GET");
    demand(token, "Zone Read");
    const known = ["name", "page", "per_page", "status", "account.id", "order", "direction", "match"];
    for (const key of request.query.keys()) if (!known.includes(key)) throw refuse.query(`unknown parameter "${key}"`);
    const wanted = request.query.get("name");
    const found = this.#store.zones.filter(({ name }) => wanted === null || name === wanted);
    return page(found.map(zoneAnswer), request.query, { usual: 20, most: 50 });
  }

  #records(request: ApiRequest, token: Token, zone: Zone): ApiAnswer {
    allow(request, "GET", "POST");
    if (request.method === "GET") {
      demand(token, "DNS Read", "DNS Write");
      return { ...listRecords(this.#store.records(zone.id), request.query) };
    }
    demand(token, "DNS Write");
    refuseQuery(request);
    return { result: this.#store.create(zone.id, readRecord(request.body(), zone.name)) };
  }

  #record(request: ApiRequest, token: Token, zone: Zone, id: string): ApiAnswer {
    if (!identifier.test(id)) throw refuse.noObject(request.path);
    allow(request, "GET", "PUT", "PATCH", "DELETE");
    refuseQuery(request);
    if (request.method === "GET") {
      demand(token, "DNS Read", "DNS Write");
      return { result: this.#store.record(zone.id, id) };
    }
    demand(token, "DNS Write");
    const before = this.#store.record(zone.id, id);
    if (request.method === "DELETE") {
      this.#store.delete(zone.id, id);
      return { result: { id } };
    }
    let body: RecordBody = request.body();
    if (request.method === "PATCH") {
      const { name, type, content, ttl, proxied, priority, data, comment, tags, settings } = before;
      body = { name, type, content, ttl, proxied, priority, data, comment, tags, settings, ...body };
    }
    return { result: this.#store.replace(zone.id, id, readRecord(body, zone.name)) };
  }

  #settings(request: ApiRequest, token: Token, zone: Zone, id: string | undefined): ApiAnswer {
    if (id === undefined) allow(request, "GET");
    else allow(request, "GET", "PATCH");
    if (request.method === "PATCH") {
      demand(token, "Zone Settings Write");
      this.#store.set(zone.id, id ?? "", readSetting(id ?? "", request.body()));
    } else demand(token, "Zone Settings Read", "Zone Settings Write");
    if (id === undefined) return { result: settingIds.map((each) => this.#setting(zone, each)) };
    return { result: this.#setting(zone, id) };
  }

  #setting(zone: Zone, id: string): unknown {
    const stored = this.#store.setting(zone.id, id);
    const { value, modified_on } = stored ?? { value: initialValue(id), modified_on: null };
    return { id, value, editable: true, modified_on };
  }
}

function allow(request: ApiRequest, ...methods: string[]): void {
  if (!methods.includes(request.method)) throw refuse.method();
}

/** The one parameter of calls about a single record; it only asks for more in `meta`, of which the lab has none. */
function refuseQuery(request: ApiRequest): void {
  for (const key of request.query.keys())
    if (key !== "include_shadow_metadata") throw refuse.query(`unknown parameter "${key}"`);
}

function verify(request: ApiRequest, token: Token | undefined): ApiAnswer {
  allow(request, "GET");
  if (!token) throw refuse.unverifiedToken();
  const message = { code: 10_000, message: "This API Token is valid and active", type: null };
  return { result: { id: token.id, status: "active" }, messages: [message] };
}

function zoneAnswer({ id, name }: Zone): unknown {
  return { id, name, status: "active", paused: false, type: "full", development_mode: 0, name_servers: nameServers };
}
