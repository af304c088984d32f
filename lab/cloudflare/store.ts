import { randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { refuse } from "./errors.ts";
import { isProxiable, type DnsRecord, type RecordFields } from "./record.ts";

export interface Zone {
  readonly id: string;
  readonly name: string;
}

interface Setting {
  readonly value: unknown;
  readonly modified_on: string;
}

interface Content {
  records: DnsRecord[];
  settings: Record<string, Setting>;
}

/** Records and settings of the lab's zones, in memory and, after every change, in one file. */
export class Store {
  readonly zones: readonly Zone[];
  readonly #path: string;
  readonly #content: Record<string, Content>;
  #changed = Date.now();

  constructor(path: string, zones: readonly Zone[]) {
    this.#path = path;
    this.zones = zones;
    this.#content = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Record<string, Content>) : {};
    for (const zone of zones) this.#content[zone.id] ??= { records: [], settings: {} };
  }

  /** Grows with every change: the serial number of the zones. */
  get serial(): number {
    return Math.floor(this.#changed / 1000);
  }

  records(zoneId: string): readonly DnsRecord[] {
    return this.#zone(zoneId).records;
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
    this.#zone(zoneId).records.push(record);
    this.#save();
    return record;
  }

  replace(zoneId: string, id: string, fields: RecordFields): DnsRecord {
    const before = this.record(zoneId, id);
    const others = this.records(zoneId).filter((each) => each.id !== id);
    refuseConflict(others, fields);
    const record = complete(fields, { id, created_on: before.created_on, modified_on: timestamp() }, before);
    const records = this.#zone(zoneId).records;
    records[records.indexOf(before)] = record;
    this.#save();
    return record;
  }

  delete(zoneId: string, id: string): void {
    const record = this.record(zoneId, id);
    const zone = this.#zone(zoneId);
    zone.records = zone.records.filter((each) => each !== record);
    this.#save();
  }

  setting(zoneId: string, id: string): Setting | undefined {
    return this.#zone(zoneId).settings[id];
  }

  set(zoneId: string, id: string, value: unknown): void {
    this.#zone(zoneId).settings[id] = { value, modified_on: timestamp() };
    this.#save();
  }

  #zone(id: string): Content {
    const content = this.#content[id];
    if (!content) throw new Error(`no zone ${id}`);
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

function timestamp(): string {
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
