import type { Cors } from "../config/edge.ts";
import type { Security } from "../config/security.ts";
import { milliseconds } from "../shared/duration.ts";
import { block, literal } from "./syntax.ts";

/** The headers of a site's `security`, in the order in which they are sent; those that say `none` are left out. */
export function securityHeaders(security: Security): Record<string, string> {
  const { hstsSeconds, hstsSubDomains, hstsPreload } = security;
  const hsts = [
    `max-age=${hstsSeconds}`,
    ...(hstsSubDomains ? ["includeSubDomains"] : []),
    ...(hstsPreload ? ["preload"] : []),
  ];
  const headers: Record<string, string> = {
    "Strict-Transport-Security": hstsSeconds > 0 ? hsts.join("; ") : "",
    "X-Frame-Options": security.frame,
    "X-Content-Type-Options": security.contentType,
    "Referrer-Policy": security.referrer,
    "Permissions-Policy": permissionsPolicy(security.permissions),
    "Cross-Origin-Opener-Policy": security.opener,
    "Cross-Origin-Resource-Policy": security.resource,
    "Content-Security-Policy": contentSecurityPolicy(security.csp),
  };
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== "none" && value !== ""));
}

export function contentSecurityPolicy(csp: Security["csp"]): string {
  return Object.entries(csp)
    .map(([directive, sources]) => [directive, ...sources].join(" "))
    .join("; ");
}

function permissionsPolicy(permissions: Security["permissions"]): string {
  const allowed = (who: string): string => (who === "self" ? who : JSON.stringify(who));
  return Object.entries(permissions)
    .map(([feature, list]) => (list.includes("*") ? `${feature}=*` : `${feature}=(${list.map(allowed).join(" ")})`))
    .join(", ");
}

const corsHeaders = {
  origin: "Access-Control-Allow-Origin",
  credentials: "Access-Control-Allow-Credentials",
  methods: "Access-Control-Allow-Methods",
  headers: "Access-Control-Allow-Headers",
  age: "Access-Control-Max-Age",
} as const;

/** What is worked out per request for a site's `cors`, in nginx's `http` block: variables that begin with `name`. */
export function corsMaps(name: string, { origins, credentials, methods, headers, age }: Cors): string[] {
  const preflight = (part: string, value: string): string[] =>
    block(`map "$${name}_preflight:$${name}_origin" $${name}_${part}`, ['default "";', `"~^1:." ${literal(value)};`]);
  return [
    ...block(`map $http_origin $${name}_origin`, [
      'default "";',
      ...origins.map((origin) => `${literal(origin)} $http_origin;`),
    ]),
    ...block(`map $${name}_origin $${name}_credentials`, [`default "${credentials ? "true" : ""}";`, '"" "";']),
    "# A browser asks before it sends what a plain form could not.",
    ...block(`map "$request_method:$http_origin:$http_access_control_request_method" $${name}_preflight`, [
      "default 0;",
      '"~^OPTIONS:.+:.+$" 1;',
    ]),
    ...preflight("methods", methods.join(", ")),
    ...preflight("headers", headers.join(", ")),
    ...preflight("age", String(milliseconds(age) / 1000)),
  ];
}

/** In a site's server: the edge alone says who may ask, and answers the question itself. */
export function corsDirectives(name: string): string[] {
  return [
    ...Object.entries(corsHeaders).map(([part, header]) => `add_header ${header} $${name}_${part} always;`),
    "add_header Vary Origin always;",
    ...Object.values(corsHeaders).map((header) => `proxy_hide_header ${header};`),
    `if ($${name}_preflight) { return 204; }`,
  ];
}
