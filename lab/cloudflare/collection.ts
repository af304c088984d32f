import { randomBytes, randomUUID } from "node:crypto";
import type { z } from "zod";
import { refuse, type ApiError } from "./errors.ts";
import { page } from "./list.ts";
import { knowing, type ApiAnswer, type Call, type Endpoint, type Method, type Route } from "./route.ts";
import { bodyOf, type Body, type Complaint } from "./schema.ts";
import type { Stored } from "./store.ts";
import { reading, type Group } from "./tokens.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Objects that are listed at a path and have an id each: most of the API. */
export interface Collection<Wanted extends Fields> {
  /** Below the zone or account, for example `load_balancers/pools`. */
  readonly path: string;
  readonly group: Group;
  /** How one that exists is changed: replaced as a whole, or by the fields that are sent. */
  readonly change?: readonly ("PUT" | "PATCH")[];
  readonly id?: "hex" | "uuid";
  readonly schema: z.ZodType<Wanted>;
  readonly complain: Complaint;
  readonly missing: () => ApiError;
  /** Throws where the fields contradict each other or what is there already. */
  readonly refuse?: (wanted: Wanted, call: Call, before: Stored | undefined) => void;
  /** The whole object but its id, from what is wanted. */
  readonly complete: (wanted: Wanted, call: Call, before: Stored | undefined) => Fields;
  /** Throws while something else needs the object. */
  readonly refuseRemoval?: (object: Stored, call: Call) => void;
  /** What GET says of a stored object. @default all of it */
  readonly show?: (object: Stored, call: Call) => Fields;
  /** What only the answer to POST says. */
  readonly once?: (object: Stored) => Fields;
  readonly list?: { readonly parameters?: readonly string[]; readonly usual: number; readonly most: number };
}

export function collectionRoutes<Wanted extends Fields>(collection: Collection<Wanted>): Route[] {
  const { path, group, change = ["PUT"] } = collection;
  const read = reading(group);
  const write = [`${group} Write`] as const;
  const show = (object: Stored, call: Call) => collection.show?.(object, call) ?? object;
  const find = (call: Call): Stored => {
    const object = call.store.objects(call.scope, path).find(({ id }) => id === call.params["id"]);
    if (!object) throw collection.missing();
    return object;
  };
  const save = (call: Call, body: Body, before?: Stored): Stored => {
    const wanted = bodyOf(collection.schema, body, collection.complain);
    collection.refuse?.(wanted, call, before);
    const id = before?.id ?? (collection.id === "uuid" ? randomUUID() : randomBytes(16).toString("hex"));
    return call.store.put(call.scope, path, { ...collection.complete(wanted, call, before), id });
  };
  const changes = {
    PUT: (call) => ({ result: show(save(call, call.request.body(), find(call)), call) }),
    PATCH: (call) => {
      const before = find(call);
      return { result: show(save(call, { ...sent(collection, before), ...call.request.body() }, before), call) };
    },
  } satisfies Record<string, Endpoint["answer"]>;
  const one: Partial<Record<Method, Endpoint>> = {
    GET: { permissions: read, answer: (call) => ({ result: show(find(call), call) }) },
    DELETE: {
      permissions: write,
      answer: (call) => {
        const object = find(call);
        collection.refuseRemoval?.(object, call);
        call.store.remove(call.scope, path, object.id);
        return { result: { id: object.id } };
      },
    },
  };
  for (const method of change) one[method] = { permissions: write, answer: changes[method] };
  const create = (call: Call): ApiAnswer => {
    knowing(call);
    const object = save(call, call.request.body());
    const secrets = collection.once?.(object);
    return { result: { ...show(object, call), ...secrets } };
  };
  const list = (call: Call): ApiAnswer => {
    const { parameters = [], ...size } = collection.list ?? { usual: 20, most: 1000 };
    knowing(call, "page", "per_page", ...parameters);
    const wanted = (object: Stored) =>
      parameters.every((key) => [null, String(object[key])].includes(call.request.query.get(key)));
    const found = call.store.objects(call.scope, path).filter(wanted);
    return page(
      found.map((each) => show(each, call)),
      call.request.query,
      size,
    );
  };
  return [
    { path, methods: { GET: { permissions: read, answer: list }, POST: { permissions: write, answer: create } } },
    { path: `${path}/:id`, methods: one },
  ];
}

/** Those fields of a stored object that a caller could have sent. */
function sent<Wanted extends Fields>({ schema }: Collection<Wanted>, object: Stored): Body {
  const shape = (schema as unknown as { shape?: Record<string, unknown> }).shape ?? {};
  return Object.fromEntries(Object.entries(object).filter(([key]) => key in shape));
}

/** One value that every zone has, such as a switch. */
export interface Single<Wanted extends Fields> {
  readonly path: string;
  readonly group: Group;
  readonly change: "PUT" | "PATCH";
  readonly schema: z.ZodType<Wanted>;
  readonly complain?: Complaint;
  readonly initial: (call: Call) => Fields;
  /** Throws where the wanted fields are not to be had. */
  readonly refuse?: (wanted: Wanted, call: Call) => void;
  /** What is answered. @default the fields themselves */
  readonly show?: (value: Fields, modified: string | null, call: Call) => Fields;
  /** DELETE puts the initial value back. */
  readonly removable?: boolean;
}

export function singleRoutes<Wanted extends Fields>(single: Single<Wanted>): Route[] {
  const { path, group } = single;
  const answer = (call: Call): ApiAnswer => {
    const kept = call.store.setting(call.scope, path);
    const value = { ...single.initial(call), ...(kept?.value as Fields | undefined) };
    return { result: single.show?.(value, kept?.modified_on ?? null, call) ?? value };
  };
  const change = (call: Call): ApiAnswer => {
    const wanted = bodyOf(single.schema, call.request.body(), single.complain ?? refuse.field);
    single.refuse?.(wanted, call);
    const kept = call.store.setting(call.scope, path)?.value as Fields | undefined;
    call.store.set(call.scope, path, { ...kept, ...wanted });
    return answer(call);
  };
  const write = [`${group} Write`] as const;
  const reset = (call: Call): ApiAnswer => {
    call.store.set(call.scope, path, {});
    return answer(call);
  };
  return [
    {
      path,
      methods: {
        GET: { permissions: reading(group), answer },
        [single.change]: { permissions: write, answer: change },
        ...(single.removable === true ? { DELETE: { permissions: write, answer: reset } } : {}),
      },
    },
  ];
}
