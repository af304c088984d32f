import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { refuse } from "./errors.ts";
import type { Plan } from "./plans.ts";
import { isProxiable, type DnsRecord, type RecordFields } from "./record.ts";

export interface Zone {
  readonly id: string;
  readonly name: string;
  /** What it pays for, see plans.ts. @default "business" */
  readonly plan?: Plan;
}

/** The account that has all zones of the lab. */
export const labAccount = { id: "00000000000000000000000000acc0de", name: "berth lab" };

/** Whatever the API keeps besides records and settings: a ruleset, a pool, a certificate. */
export interface Stored {
  readonly id: string;
  readonly [field: string]: unknown;
}

interface Setting {
  readonly value: unknown;
  readonly modified_on: string;
}

interface Content {
  records: DnsRecord[];
  settings: Record<string, Setting>;
  /** By the path below the zone or account at which they are listed. */
  objects?: Record<string, Stored[]>;
  /** Somebody deleted the zone through the API. */
  gone?: boolean;
}

/** Everything the lab's zones and its account have, in memory and, after every change, in one file. */
export class Store {
  readonly #zones: readonly Zone[];
  readonly #path: string;
  readonly #content: Record<string, Content>;
  #changed = Date.now();

  constructor(path: string, zones: readonly Zone[]) {
    this.#path = path;
    this.#zones = zones;
    this.#content = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, Content>) : {};
    for (const { id } of [...zones, labAccount]) this.#content[id] ??= { records: [], settings: {} };
  }

  get zones(): readonly Zone[] {
    return this.#zones.filter(({ id }) => this.#scope(id).gone !== true);
  }

  /** Grows with every change: the serial number of the zones. */
  get serial(): number {
    return Math.floor(this.#changed / 1000);
  }

  records(zoneId: string): readonly DnsRecord[] {
    return this.#scope(zoneId).records;
  }

  record(zoneId: string, id: string): DnsRecord {
    const record = this.records(zoneId).find((each) => each.id === id);
    if (!record) throw refuse.noRecord();
    return record;
  }

  create(zoneId: string, fields: RecordFields): DnsRecord {
    refuseConflict(this.records(zoneId), fields);
    const now = timestamp();
    const id = randomBytes(16).toString("hex");
    const record = complete(fields, { id, created_on: now, modified_on: now });
    this.#scope(zoneId).records.push(record);
    this.#save();
    return record;
  }

  replace(zoneId: string, id: string, fields: RecordFields): DnsRecord {
    const before = this.record(zoneId, id);
    const others = this.records(zoneId).filter((each) => each.id !== id);
    refuseConflict(others, fields);
    const record = complete(fields, { id, created_on: before.created_on, modified_on: timestamp() }, before);
    const records = this.#scope(zoneId).records;
    records[records.indexOf(before)] = record;
    this.#save();
    return record;
  }

  delete(zoneId: string, id: string): void {
    const record = this.record(zoneId, id);
    const zone = this.#scope(zoneId);
    zone.records = zone.records.filter((each) => each !== record);
    this.#save();
  }

  setting(zoneId: string, id: string): Setting | undefined {
    return this.#scope(zoneId).settings[id];
  }

  set(zoneId: string, id: string, value: unknown): void {
    this.#scope(zoneId).settings[id] = { value, modified_on: timestamp() };
    this.#save();
  }

  /** What is kept for a zone or account (`scope`) at a path such as `load_balancers/pools`. */
  objects(scope: string, path: string): readonly Stored[] {
    return this.#scope(scope).objects?.[path] ?? [];
  }

  /** Adds the object, or replaces the one that has its id. */
  put<T extends Stored>(scope: string, path: string, object: T): T {
    const content = this.#scope(scope);
    const all = [...this.objects(scope, path)];
    const index = all.findIndex(({ id }) => id === object.id);
    all.splice(index < 0 ? all.length : index, index < 0 ? 0 : 1, object);
    content.objects = { ...content.objects, [path]: all };
    this.#save();
    return object;
  }

  remove(scope: string, path: string, id: string): void {
    const content = this.#scope(scope);
    content.objects = { ...content.objects, [path]: this.objects(scope, path).filter((each) => each.id !== id) };
    this.#save();
  }

  /** With everything in it, and for good. */
  removeZone(id: string): void {
    this.#content[id] = { records: [], settings: {}, gone: true };
    this.#save();
  }

  #scope(id: string): Content {
    const content = this.#content[id];
    if (!content) throw new Error(`no zone or account ${id}`);
    return content;
  }

  /** Whole or not at all: a lab that is switched off in the middle keeps the last complete state. */
  #save(): void {
    this.#changed = Math.max(Date.now(), this.#changed + 1000);
    const file = openSync(`${this.#path}.new`, "w", 0o600);
    try {
      writeSync(file, JSON.stringify(this.#content, undefined, 2));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${this.#path}.new`, this.#path);
  }
}

export function timestamp(): string {
  return new Date().toISOString();
}

type Origin = Pick<DnsRecord, "id" | "created_on" | "modified_on">;

function complete(fields: RecordFields, origin: Origin, before?: DnsRecord): DnsRecord {
  const commented = before?.comment === fields.comment ? before.comment_modified_on : origin.modified_on;
  const noted = fields.comment === null || commented === undefined ? {} : { comment_modified_on: commented };
  return { ...origin, ...fields, proxiable: isProxiable(fields.type), meta: {}, ...noted };
}

/** What the real service refuses: records twice, and a CNAME beside addresses or another CNAME. */
function refuseConflict(records: readonly DnsRecord[], fields: RecordFields): void {
  const beside = records.filter((each) => each.name === fields.name);
  if (fields.type === "CNAME" && beside.some((each) => isProxiable(each.type))) throw refuse.addressExists();
  if (isProxiable(fields.type) && beside.some((each) => each.type === "CNAME")) throw refuse.aliasExists();
  const same = (each: DnsRecord) =>
    each.type === fields.type && each.content === fields.content && each.priority === fields.priority;
  if (beside.some(same)) throw refuse.identical();
}
