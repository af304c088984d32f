import { randomBytes } from "node:crypto";
import { z } from "zod";
import { ApiError, one, refuse, type Problem } from "../errors.ts";
import { limits } from "../plans.ts";
import { zoneOf, type ApiAnswer, type Call, type Route } from "../route.ts";
import { managedRulesets, phases, type PhaseName } from "../rulesets/phases.ts";
import { ruleProblems } from "../rulesets/problems.ts";
import { rule, type Rule } from "../rulesets/rule.ts";
import { bodyOf, type Complaint } from "../schema.ts";
import { timestamp, type Stored } from "../store.ts";
import { demand, reading } from "../tokens.ts";

const path = "rulesets";

const complain: Complaint = (field, message) => ({
  code: 20_021,
  message: `${field.join(".")}: ${message}`,
  source: { pointer: `/${field.join("/")}` },
});

const content = {
  description: z.string().default(""),
  rules: z.array(rule).default([]),
};
const whole = z.strictObject({
  ...content,
  kind: z.string(),
  name: z.string().min(1),
  phase: z.string(),
});
/** A change may repeat what cannot change. */
const change = z.strictObject({
  ...content,
  id: z.string().optional(),
  kind: z.string().optional(),
  name: z.string().min(1).optional(),
  phase: z.string().optional(),
});

/** One ruleset for each phase of a zone: its entry point. */
export const rulesetRoutes: readonly Route[] = [
  { path, methods: { GET: { answer: list }, POST: { answer: create } } },
  {
    path: `${path}/:id`,
    methods: {
      GET: { answer: (call) => ({ result: found(call, "Read") }) },
      PUT: { answer: (call) => replace(call, found(call, "Write")) },
      DELETE: { answer: remove },
    },
  },
  {
    path: `${path}/phases/:phase/entrypoint`,
    methods: {
      GET: { answer: (call) => ({ result: entryPoint(call, "Read") ?? noEntryPoint(call) }) },
      PUT: { answer: putEntryPoint },
    },
  },
];

/** Without their rules, as documented; those that Cloudflare manages among them. */
function list(call: Call): ApiAnswer {
  const groups = [...new Set(Object.values(phases).map(({ group }) => group))];
  demand(call.token, ...groups.flatMap((group) => reading(group)));
  const own = call.store.objects(call.scope, path).map(({ rules: _, ...ruleset }) => ruleset);
  const managed = Object.entries(managedRulesets).map(([id, name]) => {
    const kind = { kind: "managed", phase: "http_request_firewall_managed" };
    return { id, name, description: "", ...kind, version: "1", last_updated: "2024-01-01T00:00:00Z" };
  });
  return { result: [...own, ...managed] };
}

function create(call: Call): ApiAnswer {
  const body = call.request.body();
  const phase = phaseOf(call, body["phase"]);
  const wanted = bodyOf(whole, body, complain);
  const wrong = (message: string) => new ApiError(400, [{ code: 20_217, message, source: { pointer: "/kind" } }]);
  if (wanted.kind !== "zone")
    throw wrong(`'${wanted.kind}' is not a valid value for kind because it is not allowed for a zone`);
  if (call.store.objects(call.scope, path).some((each) => each["phase"] === phase))
    throw wrong(
      `'zone' is not a valid value for kind because exceeded maximum number of zone rulesets for phase ${phase}`,
    );
  return { result: save(call, phase, wanted, { kind: "zone", name: wanted.name }) };
}

function replace(call: Call, before: Stored): ApiAnswer {
  const wanted = bodyOf(change, call.request.body(), complain);
  for (const key of ["id", "kind", "phase"] as const)
    if (wanted[key] !== undefined && wanted[key] !== before[key])
      throw new ApiError(400, [complain([key], `cannot be changed from '${String(before[key])}'`)]);
  const fixed = { kind: before["kind"], name: wanted.name ?? before["name"] };
  return { result: save(call, before["phase"] as PhaseName, wanted, fixed, before) };
}

function remove(call: Call): ApiAnswer {
  call.store.remove(call.scope, path, found(call, "Write").id);
  return { result: null };
}

function putEntryPoint(call: Call): ApiAnswer {
  const before = entryPoint(call, "Write");
  if (before) return replace(call, before);
  const phase = call.params["phase"] as PhaseName;
  const wanted = bodyOf(change, call.request.body(), complain);
  return { result: save(call, phase, wanted, { kind: "zone", name: wanted.name ?? "default" }) };
}

function save(
  call: Call,
  phase: PhaseName,
  wanted: { readonly description: string; readonly rules: readonly Rule[] },
  fixed: { readonly kind: unknown; readonly name: unknown },
  before?: Stored,
): Stored {
  const { rules } = wanted;
  const plan = limits[zoneOf(call).plan ?? "business"];
  const most = plan.rules[phase] ?? 0;
  if (rules.length > most)
    throw one(
      400,
      50_001,
      `exceeded the maximum number of rules in the phase ${phase}: ${rules.length} out of ${most}`,
    );
  const problems: Problem[] = rules.flatMap((each, index) => ruleProblems(each, index, phase, plan));
  const refs = rules.map(({ ref }) => ref).filter((ref) => ref !== undefined);
  for (const ref of new Set(refs.filter((ref, index) => refs.indexOf(ref) !== index)))
    problems.push({ code: 20_123, message: `rules must have unique refs, found '${ref}' more than once` });
  if (problems.length > 0) throw new ApiError(400, problems);
  const known = (before?.["rules"] ?? []) as StoredRule[];
  const version = Number(before?.["version"] ?? 0) + 1;
  return call.store.put(call.scope, path, {
    id: before?.id ?? randomBytes(16).toString("hex"),
    name: fixed.name,
    description: wanted.description,
    kind: fixed.kind,
    version: String(version),
    rules: rules.map((each) => keep(each, known)),
    last_updated: timestamp(),
    phase,
  });
}

interface StoredRule {
  readonly id: string;
  readonly ref: string;
  readonly version: string;
}

/** A rule that is sent again under its id or ref stays the same rule; any other is a new one. */
function keep({ version: _, last_updated: _when, ...wanted }: Rule, known: readonly StoredRule[]): unknown {
  const before = known.find(({ id, ref }) => (wanted.id === undefined ? ref === wanted.ref : id === wanted.id));
  const id = before?.id ?? randomBytes(16).toString("hex");
  const { action_parameters: parameters, ratelimit, logging } = wanted;
  return {
    ...wanted,
    id,
    version: String(Number(before?.version ?? 0) + 1),
    ref: wanted.ref ?? before?.ref ?? id,
    // The service does not keep an empty object.
    action_parameters: parameters && Object.keys(parameters).length > 0 ? parameters : undefined,
    ratelimit: ratelimit && { mitigation_timeout: 0, ...ratelimit },
    logging: logging ?? (wanted.action === "skip" ? { enabled: true } : undefined),
    last_updated: timestamp(),
  };
}

function found(call: Call, access: "Read" | "Write"): Stored {
  const ruleset = call.store.objects(call.scope, path).find(({ id }) => id === call.params["id"]);
  if (!ruleset) {
    // Whoever may see no ruleset at all learns nothing about one.
    demand(
      call.token,
      ...[...new Set(Object.values(phases).map(({ group }) => group))].flatMap((group) => reading(group)),
    );
    throw one(404, 10_003, `could not find ruleset ${call.params["id"] ?? ""}`);
  }
  permit(call, ruleset["phase"] as PhaseName, access);
  return ruleset;
}

function entryPoint(call: Call, access: "Read" | "Write"): Stored | undefined {
  const phase = call.params["phase"] ?? "";
  if (!isPhase(phase)) throw refuse.noObject(call.request.path);
  permit(call, phase, access);
  return call.store.objects(call.scope, path).find((each) => each["phase"] === phase);
}

function noEntryPoint(call: Call): never {
  throw one(404, 10_003, `could not find entrypoint ruleset in the ${call.params["phase"] ?? ""} phase`);
}

/** The phase of a new ruleset; its permission comes before anything that may be wrong with the rest. */
function phaseOf(call: Call, phase: unknown): PhaseName {
  if (typeof phase === "string" && isPhase(phase)) {
    permit(call, phase, "Write");
    return phase;
  }
  const known = Object.keys(phases).join(", ");
  const message = `'${String(phase)}' is not a valid value for phase; the lab knows ${known}`;
  throw new ApiError(400, [{ code: 20_115, message, source: { pointer: "/phase" } }]);
}

function isPhase(phase: string): phase is PhaseName {
  return Object.hasOwn(phases, phase);
}

function permit(call: Call, phase: PhaseName, access: "Read" | "Write"): void {
  const { group } = phases[phase];
  demand(call.token, ...(access === "Read" ? reading(group) : [`${group} Write` as const]));
}
