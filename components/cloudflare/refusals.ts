import type * as pulumi from "@pulumi/pulumi";
import { inDashboard, permissionFor, type Permission } from "./permissions.ts";

/** A call that Cloudflare's API did not carry out. */
export interface Refusal {
  /** `POST zones/…/rulesets` */
  readonly call: string;
  /** HTTP status; undefined where no answer came. */
  readonly status: number | undefined;
  /** What the API said, as it said it. */
  readonly words: string;
  /** Name of the resource, or what the call was for. */
  readonly subject: string;
  readonly permission: Permission | undefined;
}

/** A failed operation of a resource, as Pulumi's error hooks are told of it. */
export type Failure = Pick<pulumi.ErrorHookArgs, "name" | "type" | "newInputs" | "oldInputs" | "errors">;

/** Cloudflare's codes for a token that it does not know, and its words under a code that it also has for others. */
const unknownToken = /"code":\s*(1000|6003|6111|9106)\b|Invalid (access|API) [Tt]oken/;
/** Codes for a token that lacks a permission. */
const lacking = /"code":\s*(10000|9109)\b/;
/** Codes and words for a record, ruleset, application, pool or balancer that is there already. */
const taken =
  /"code":\s*(81053|81054|81058|20217|11010)\b|similar configuration with rules already exists|already exists/;

/** Code for a path with an id that is none, such as that of a zone that there never was. */
const misrouted = /"code":\s*7003\b/;

const importForms: readonly (readonly [kind: RegExp, form: string])[] = [
  [/\/rulesets/, "zones/<zone id>/<ruleset id>"],
  [/\/access\/apps/, "zones/<zone id>/<application id>"],
  [/^accounts\//, "<account id>/<id>"],
  [/./, "<zone id>/<record id>"],
];

/**
 * What a refusal means for whoever runs berth: `<key>: <what is wrong>, got <answer>; <what to do>`. Undefined where
 * the API's own words say it best, such as for a value that it does not take.
 */
export function explain({ call, status, words, subject, permission }: Refusal): string | undefined {
  const got = `got ${status ?? "no answer"} from ${call} for ${subject}`;
  const path = call.split(" ")[1] ?? "";
  if (status === 401 || ((status === 400 || status === 403) && unknownToken.test(words)))
    return (
      `cloudflare:apiToken: is not a token that Cloudflare knows, or it has expired, ${got}; make a new one, then run ` +
      "`pulumi config set --secret cloudflare:apiToken`"
    );
  if (status === 403 && lacking.test(words)) {
    if (!permission) return `cloudflare:apiToken: lacks a permission, ${got}; see docs/cloudflare.md`;
    return (
      `cloudflare:apiToken: lacks the permission "${permission.name}" on this ${permission.on}, ${got}; edit the token ` +
      `and add it (in the dashboard: ${inDashboard(permission)}), then run pulumi up again`
    );
  }
  if (status === 429)
    return (
      `Cloudflare: has had too many calls of this account, ${got}; wait five minutes, then run pulumi up again. ` +
      "What has been done stays, the rest follows"
    );
  if (status === undefined || status >= 500)
    return (
      `Cloudflare: did not carry out a call, ${got}; see https://www.cloudflarestatus.com, then run pulumi up again. ` +
      "What has been done stays, the rest follows"
    );
  if (status === 404 && /^(PUT|PATCH|DELETE) /.test(call) && !misrouted.test(words))
    return `Cloudflare: does not have it any more, ${got}; run pulumi refresh, then pulumi up again`;
  if (taken.test(words)) {
    const form = importForms.find(([kind]) => kind.test(path))?.[1] ?? "<id>";
    return (
      `berth:cloudflare.adopt: does not name what is there already and is not in the state of this stack, ${got}; nothing was ` +
      `overwritten. Add "${subject}: ${form}" there, or remove it at Cloudflare; see docs/cloudflare.md`
    );
  }
  return undefined;
}

const request = /\b(GET|POST|PUT|PATCH|DELETE) "([^"]+)":(?: (\d{3}) )?/i;

/** The refused call in what the provider says of it; undefined for a failure of another kind. */
export function refusalOf({ name, type, newInputs, oldInputs, errors }: Failure): Refusal | undefined {
  const [words = ""] = errors;
  const [, method, url, status] = request.exec(words) ?? [];
  if (method === undefined || url === undefined) return undefined;
  return {
    call: `${method.toUpperCase()} ${url.replace(/^.*\/client\/v4\//, "")}`,
    status: status === undefined ? undefined : Number(status),
    words,
    subject: name,
    permission: permissionFor(type, newInputs ?? oldInputs ?? {}),
  };
}
