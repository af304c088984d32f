import { refuse } from "../errors.ts";
import { listRecords } from "../list.ts";
import { readRecord, type RecordBody } from "../record.ts";
import { knowing, zoneOf, type ApiAnswer, type Call, type Route } from "../route.ts";
import { reading } from "../tokens.ts";

const identifier = /^[0-9a-f]{32}$/;
const read = reading("DNS");
const write = ["DNS Write"] as const;

export const dnsRecordRoutes: readonly Route[] = [
  {
    path: "dns_records",
    methods: {
      GET: {
        permissions: read,
        answer: (call) => ({ ...listRecords(call.store.records(call.scope), call.request.query) }),
      },
      POST: { permissions: write, answer: create },
    },
  },
  {
    path: "dns_records/:id",
    methods: {
      GET: { permissions: read, answer: (call) => ({ result: call.store.record(call.scope, known(call)) }) },
      PUT: { permissions: write, answer: (call) => replace(call, call.request.body()) },
      PATCH: { permissions: write, answer: patch },
      DELETE: { permissions: write, answer: remove },
    },
  },
];

function create(call: Call): ApiAnswer {
  knowing(call, "include_shadow_metadata");
  return { result: call.store.create(call.scope, readRecord(call.request.body(), zoneOf(call).name)) };
}

function patch(call: Call): ApiAnswer {
  const before = call.store.record(call.scope, known(call));
  const { name, type, content, ttl, proxied, priority, data, comment, tags, settings } = before;
  const whole = { name, type, content, ttl, proxied, priority, data, comment, tags, settings };
  return replace(call, { ...whole, ...call.request.body() });
}

function replace(call: Call, body: RecordBody): ApiAnswer {
  const id = known(call);
  call.store.record(call.scope, id);
  return { result: call.store.replace(call.scope, id, readRecord(body, zoneOf(call).name)) };
}

function remove(call: Call): ApiAnswer {
  const id = known(call);
  call.store.delete(call.scope, id);
  return { result: { id } };
}

/** The id; the one parameter of calls about a record only asks for more in `meta`, of which the lab has none. */
function known(call: Call): string {
  const id = call.params["id"] ?? "";
  if (!identifier.test(id)) throw refuse.noObject(call.request.path);
  knowing(call, "include_shadow_metadata");
  return id;
}
