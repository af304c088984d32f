import { isIPv4, isIPv6 } from "node:net";
import { z } from "zod";
import { collectionRoutes } from "../collection.ts";
import { one, type ApiError } from "../errors.ts";
import type { Route } from "../route.ts";
import { timestamp } from "../store.ts";

const path = "firewall/access_rules/rules";
const modes = ["block", "challenge", "whitelist", "js_challenge", "managed_challenge"] as const;

const invalid = (message: string): ApiError => one(400, 10_001, `firewallaccessrules.api.validation_error:${message}`);

const rule = z.strictObject({
  mode: z.enum(modes),
  configuration: z.strictObject({ target: z.enum(["ip", "ip6", "ip_range", "asn", "country"]), value: z.string() }),
  notes: z.string().default(""),
});

/** What each target takes; ranges are only known in the sizes that the API documents. */
const takes: Readonly<Record<string, (value: string) => boolean>> = {
  ip: isIPv4,
  ip6: (value) => isIPv6(value) && value.split(":").length === 8,
  ip_range: (value) => {
    const [start = "", bits = ""] = value.split("/");
    return isIPv4(start) ? ["16", "24"].includes(bits) : isIPv6(start) && ["32", "48", "64"].includes(bits);
  },
  asn: (value) => /^AS\d{1,10}$/.test(value),
  country: (value) => /^([A-Z]{2}|T1)$/.test(value),
};

/** IP access rules, of a zone or of all zones of an account. */
export const accessRuleRoutes: readonly Route[] = collectionRoutes({
  path,
  group: "Firewall Services",
  change: ["PATCH"],
  schema: rule,
  complain: (field, message) => ({
    code: 10_001,
    message: `firewallaccessrules.api.validation_error:${field.join(".")} ${message}`,
  }),
  missing: () => one(404, 10_001, "firewallaccessrules.api.not_found"),
  refuse: ({ configuration }, call, before) => {
    const { target, value } = configuration;
    if (takes[target]?.(value) !== true) throw invalid(`invalid ${target} provided: ${value}`);
    const key = JSON.stringify(configuration);
    const others = call.store.objects(call.scope, path).filter(({ id }) => id !== before?.id);
    if (others.some((each) => JSON.stringify(each["configuration"]) === key))
      throw one(400, 10_009, "firewallaccessrules.api.duplicate_of_existing");
    // Documented as fixed; whether the real service takes another one is not known.
    if (before && JSON.stringify(before["configuration"]) !== key) throw invalid("configuration cannot be changed");
  },
  complete: ({ mode, configuration, notes }, call, before) => ({
    mode,
    configuration: { target: configuration.target, value: configuration.value },
    notes,
    allowed_modes: modes,
    scope: { id: call.scope, type: call.zone ? "zone" : "organization" },
    created_on: before?.["created_on"] ?? timestamp(),
    modified_on: timestamp(),
  }),
  list: { parameters: ["mode"], usual: 20, most: 1000 },
});
