import { refuse } from "./errors.ts";

const onOff = ["on", "off"];
const off = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, { values: onOff, initial: "off" }]));
const on = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, { values: onOff, initial: "on" }]));

interface Rule {
  /** The values that are allowed, or a check of them. */
  readonly values: readonly unknown[] | ((value: unknown) => boolean);
  readonly initial: unknown;
}

const wholeNumber = (least: number, most: number) => (value: unknown) =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= most;

/** The zone settings that the lab knows, with the values the API documents and those of a new zone. */
const rules: Readonly<Record<string, Rule>> = {
  ...on("automatic_https_rewrites", "brotli", "browser_check", "email_obfuscation", "http2", "http3", "ip_geolocation"),
  ...on("ipv6", "opportunistic_encryption", "opportunistic_onion", "server_side_exclude", "websockets"),
  ...off("0rtt", "always_online", "always_use_https", "development_mode", "early_hints", "hotlink_protection"),
  ...off("origin_error_page_pass_thru", "privacy_pass", "response_buffering", "rocket_loader"),
  ...off("sort_query_string_for_cache", "tls_client_auth", "true_client_ip_header", "webp"),
  browser_cache_ttl: { values: wholeNumber(0, 31_536_000), initial: 14_400 },
  cache_level: { values: ["aggressive", "basic", "simplified"], initial: "aggressive" },
  challenge_ttl: { values: wholeNumber(300, 31_536_000), initial: 1800 },
  ciphers: { values: (value) => Array.isArray(value) && value.every((each) => typeof each === "string"), initial: [] },
  max_upload: { values: wholeNumber(1, 5000), initial: 100 },
  min_tls_version: { values: ["1.0", "1.1", "1.2", "1.3"], initial: "1.0" },
  polish: { values: ["off", "lossless", "lossy"], initial: "off" },
  proxy_read_timeout: { values: wholeNumber(1, 6000), initial: 100 },
  pseudo_ipv4: { values: ["off", "add_header", "overwrite_header"], initial: "off" },
  security_header: {
    values: isSecurityHeader,
    initial: {
      strict_transport_security: {
        enabled: false,
        include_subdomains: false,
        max_age: 0,
        nosniff: false,
        preload: false,
      },
    },
  },
  security_level: {
    values: ["off", "essentially_off", "low", "medium", "high", "under_attack"],
    initial: "medium",
  },
  ssl: { values: ["off", "flexible", "full", "strict"], initial: "full" },
  tls_1_3: { values: ["on", "off", "zrt"], initial: "on" },
};

export const settingIds = Object.keys(rules).sort();

export function initialValue(id: string): unknown {
  return rule(id).initial;
}

/** The value out of a request's body, refused unless the API documents it. */
export function readSetting(id: string, body: Readonly<Record<string, unknown>>): unknown {
  const { values } = rule(id);
  const extra = Object.keys(body).find((key) => key !== "value");
  if (extra !== undefined) throw refuse.body(`unknown field "${extra}"`);
  const value = body["value"];
  if (!(typeof values === "function" ? values(value) : values.includes(value))) throw refuse.settingValue(id);
  return value;
}

function rule(id: string): Rule {
  const found = Object.hasOwn(rules, id) ? rules[id] : undefined;
  if (!found) throw refuse.unknownSetting(id);
  return found;
}

function isSecurityHeader(value: unknown): boolean {
  const { strict_transport_security: header, ...rest } = (value ?? {}) as Record<string, unknown>;
  if (typeof header !== "object" || header === null || Object.keys(rest).length > 0) return false;
  return Object.entries(header).every(([key, each]) =>
    key === "max_age"
      ? Number.isInteger(each)
      : ["enabled", "include_subdomains", "nosniff", "preload"].includes(key) && typeof each === "boolean",
  );
}
