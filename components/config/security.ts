import { z } from "zod";
import { refuse } from "./refusals.ts";

/* What browsers are told to allow on a site: the typed part of its response headers. */

const directives = [
  ...["default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem"],
  ...["style-src-attr", "img-src", "font-src", "connect-src", "media-src", "object-src", "frame-src", "child-src"],
  ...["worker-src", "manifest-src", "base-uri", "form-action", "frame-ancestors", "sandbox", "report-to", "report-uri"],
  "upgrade-insecure-requests",
];

const directive = z.string().refine((name) => directives.includes(name), {
  error: refuse("is not a directive of a content policy", `use one of ${directives.slice(0, 8).join(", ")} …`),
});

const keywords = ["self", "none", "unsafe-inline", "unsafe-eval", "wasm-unsafe-eval", "unsafe-hashes"];
const words = [...keywords, "strict-dynamic", "report-sample"];
const hash = /^'sha(256|384|512)-[A-Za-z0-9+/_-]+={0,2}'$/;
const scheme = /^[a-z][a-z0-9+.-]*:$/;
// A host may begin with `*.`, and end with a port and a path; `${domain}` stands for the stack's domain.
const origin =
  /^([a-z][a-z0-9+.-]*:\/\/)?(\*|(\*\.)?(\$\{domain\}|[a-z0-9-]+)(\.(\$\{domain\}|[a-z0-9-]+))*)(:(\d{1,5}|\*))?(\/[^\s;,'"]*)?$/i;
// What stands in directives that take no sources: tokens of a sandbox, names and addresses of reports.
const token = /^(allow-[a-z-]+|[A-Za-z0-9_-]+|\/[^\s;,'"]*)$/;

/** One source of a directive, as it is written into the header. */
export const cspSource = z.string().refine(isSource, {
  error: (issue) => refuse("is not a source of a content policy", sourceCure(String(issue.input)))(issue),
});

function isSource(text: string): boolean {
  if (text.startsWith("'")) return hash.test(text) || words.some((word) => text === `'${word}'`);
  // Without quotes a keyword would be the name of a host.
  if (words.includes(text)) return false;
  return scheme.test(text) || origin.test(text) || token.test(text);
}

function sourceCure(text: string): string {
  if (words.includes(text)) return `write it in single quotes, '${text}'`;
  if (text.startsWith("'nonce-")) return "a nonce is new with each answer, so only the application can send it";
  if (/[\s;,]/.test(text)) return "write one source in each item of the list";
  return "write a keyword as 'self', a scheme as data:, a host as https://*.example.com or a hash as 'sha256-…'";
}

/** Sources by directive; a directive without sources is written as its name alone. */
export const csp = z.record(directive, z.array(cspSource));

const features = /^[a-z]+(-[a-z]+)*$/;

export const security = z.strictObject({
  hstsSeconds: z.int().min(0).default(31_536_000).describe("`max-age` of Strict-Transport-Security; 0 sends none"),
  hstsSubDomains: z.boolean().default(true).describe("It holds for the host's subdomains as well"),
  hstsPreload: z.boolean().default(false).describe("Browsers' makers may list the domain; hard to take back"),
  frame: z.enum(["DENY", "SAMEORIGIN", "none"]).default("DENY").describe("X-Frame-Options; `none` sends none"),
  contentType: z.enum(["nosniff", "none"]).default("nosniff").describe("X-Content-Type-Options; `none` sends none"),
  referrer: z
    .enum([
      ...(["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"] as const),
      ...(["no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "unsafe-url", "none"] as const),
    ])
    .default("strict-origin-when-cross-origin")
    .describe("Referrer-Policy; `none` sends none"),
  permissions: z
    .record(
      z.string().regex(features, { error: refuse("is not a browser feature", "write for example camera") }),
      z.array(
        z.string().regex(/^(self|\*|https:\/\/[^\s"(),;]+)$/, {
          error: refuse("is not an origin", "write self, * or for example https://example.com"),
        }),
      ),
    )
    .default({ camera: [], geolocation: [], microphone: [] })
    .describe("Permissions-Policy: who may use a feature of the browser; an empty list is nobody"),
  opener: z
    .enum(["same-origin", "same-origin-allow-popups", "unsafe-none", "none"])
    .default("same-origin")
    .describe("Cross-Origin-Opener-Policy; `none` sends none"),
  resource: z
    .enum(["same-origin", "same-site", "cross-origin", "none"])
    .default("same-site")
    .describe("Cross-Origin-Resource-Policy; `none` sends none"),
  csp: csp
    .default({
      "default-src": ["'self'"],
      "object-src": ["'none'"],
      "base-uri": ["'self'"],
      "form-action": ["'self'"],
      "frame-ancestors": ["'none'"],
    })
    .describe("Content-Security-Policy: sources by directive; an empty mapping sends none"),
});

export type Security = z.output<typeof security>;

/** Headers that `security` is about: a site's `headers` may not name them too. */
export const securityHeaderNames: Readonly<Record<string, string>> = {
  "strict-transport-security": "hstsSeconds",
  "x-frame-options": "frame",
  "x-content-type-options": "contentType",
  "referrer-policy": "referrer",
  "permissions-policy": "permissions",
  "cross-origin-opener-policy": "opener",
  "cross-origin-resource-policy": "resource",
  "content-security-policy": "csp",
};
