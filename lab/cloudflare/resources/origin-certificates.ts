import { randomBytes } from "node:crypto";
import { z } from "zod";
import { one, refuse, type ApiError } from "../errors.ts";
import { page } from "../list.ts";
import { makeAuthority, readRequest, signRequest, type Authority, type KeyKind } from "../origin-ca.ts";
import { isHostname } from "../record.ts";
import { knowing, type ApiAnswer, type Call, type Route } from "../route.ts";
import { bodyOf } from "../schema.ts";
import { labAccount, timestamp, type Store, type Stored } from "../store.ts";
import { reading } from "../tokens.ts";

const path = "certificates";
const write = ["SSL and Certificates Write"] as const;
const read = reading("SSL and Certificates");
const kinds: Readonly<Record<string, KeyKind>> = { "origin-rsa": "rsa", "origin-ecc": "ec" };

const wanted = z.strictObject({
  csr: z.string().min(1),
  hostnames: z.array(z.string()).min(1).max(200),
  request_type: z.enum(["origin-rsa", "origin-ecc"]),
  requested_validity: z.literal([7, 30, 90, 365, 730, 1095, 5475]).default(5475),
});

/** Certificates of the Origin CA; they lie beside zones, not in them. */
export const originCertificateRoutes: readonly Route[] = [
  {
    path: "",
    methods: { GET: { permissions: read, answer: list }, POST: { permissions: write, answer: create } },
  },
  {
    path: ":id",
    methods: {
      GET: { permissions: read, answer: (call) => ({ result: find(call) }) },
      DELETE: { permissions: write, answer: revoke },
    },
  },
];

function create(call: Call): ApiAnswer {
  const { csr, hostnames, request_type, requested_validity } = bodyOf(wanted, call.request.body(), refuse.field);
  for (const name of hostnames) if (!isOwn(call.store, name)) throw foreign(name);
  const kind = kinds[request_type] ?? "rsa";
  const request = readCsr(csr);
  if (request.kind !== kind) throw one(400, 1007, `The CSR's key does not match request_type ${request_type}`);
  const { pem, expires } = signRequest(authorityOf(call.store, kind), request, hostnames, requested_validity);
  const issued = call.store.put(labAccount.id, path, {
    id: BigInt(`0x${randomBytes(20).toString("hex")}`).toString(),
    certificate: pem,
    csr,
    hostnames,
    // The real service's own way to write times here.
    expires_on: expires
      .toISOString()
      .replace("T", " ")
      .replace(/\.\d+Z/, " +0000 UTC"),
    request_type,
    requested_validity,
  });
  return { result: issued };
}

function list(call: Call): ApiAnswer {
  knowing(call, "zone_id", "page", "per_page");
  const zone = call.store.zones.find(({ id }) => id === call.request.query.get("zone_id"));
  if (!zone) throw one(400, 1006, "zone_id is required");
  const inside = (name: string) => name === zone.name || name.endsWith(`.${zone.name}`);
  const found = call.store.objects(labAccount.id, path).filter((each) => (each["hostnames"] as string[]).some(inside));
  return page(found, call.request.query, { usual: 20, most: 50 });
}

function revoke(call: Call): ApiAnswer {
  const { id } = find(call);
  call.store.remove(labAccount.id, path, id);
  return { result: { id, revoked_at: timestamp() } };
}

function find(call: Call): Stored {
  const found = call.store.objects(labAccount.id, path).find(({ id }) => id === call.params["id"]);
  if (!found) throw one(404, 1101, "Certificate not found");
  return found;
}

function readCsr(csr: string): ReturnType<typeof readRequest> {
  try {
    return readRequest(csr);
  } catch (error) {
    throw one(400, 1005, `The CSR could not be parsed: ${(error as Error).message}`);
  }
}

/** A name of one of the account's zones, or a wildcard of one level in one. */
function isOwn({ zones }: Store, name: string): boolean {
  const plain = name.replace(/^\*\./, "");
  return isHostname(plain) && zones.some((zone) => plain === zone.name || plain.endsWith(`.${zone.name}`));
}

function foreign(name: string): ApiError {
  const why = "This zone is either not part of your account, or you do not have access to it.";
  return one(400, 1010, `Failed to validate requested hostname ${name}: ${why}`);
}

/** Made on first use, one for each kind of key, and kept from then on. */
export function authorityOf(store: Store, kind: KeyKind): Authority {
  const kept = store.setting(labAccount.id, `origin-ca/${kind}`)?.value as Authority | undefined;
  if (kept) return kept;
  const made = makeAuthority(kind);
  store.set(labAccount.id, `origin-ca/${kind}`, made);
  return made;
}
