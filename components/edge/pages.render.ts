import { milliseconds } from "../shared/duration.ts";
import type { Maintenance } from "../config/edge.ts";
import type { ErrorPage, ErrorPages } from "../config/error-page.ts";
import { block, literal } from "./syntax.ts";

/*
 * Pages of the edge's own. They are answered by `return`, so they bring no files along, and no styles or scripts, which
 * a site's content policy would refuse. The headers of the site are sent with them.
 */

/** In a server or a location: its error pages, which `errorLocations` of the same name holds. */
export function errorDirectives(pages: ErrorPages, name: string): string[] {
  return Object.keys(pages).map((status) => `error_page ${status} @${name}-${status};`);
}

/** Beside the other locations of a server. */
export function errorLocations(pages: ErrorPages, name: string): string[] {
  return Object.entries(pages).flatMap(([status, page]) => [
    "",
    ...block(`location @${name}-${status}`, [
      `default_type ${page.format === "json" ? "application/json" : "text/html"};`,
      `return ${status} ${page.format === "json" ? object(page) : document(page)};`,
    ]),
  ]);
}

/** The name of the request is one that nginx made or has looked at: letters, digits, `_` and `-`. */
const requestName = "$request_name";

function document({ title, message }: ErrorPage): string {
  const parts = [`<h1>${escaped(title)}</h1>`, ...(message === "" ? [] : [`<p>${escaped(message)}</p>`])];
  return withRequestName(html(title, `${parts.join("")}<p><small>Request \0</small></p>`));
}

function object({ title, message }: ErrorPage): string {
  return withRequestName(JSON.stringify({ error: title, message, requestId: "\0" }).replace("\\u0000", "\0"));
}

/** A literal with one place for the name of the request. */
function withRequestName(text: string): string {
  const [before = "", after = ""] = text.split("\0");
  return `${literal(before).slice(0, -1)}${requestName}${literal(after).slice(1)}`;
}

function html(title: string, body: string): string {
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>`;
  return `<!doctype html><html lang="en"><head>${head}</head><body>${body}</body></html>`;
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** In a location whose visitors wait, but for those of whom `waits` says no. */
export function maintenancePage({ retryAfter, message }: Maintenance, waits: string): string[] {
  const page = html("Maintenance", `<p>${escaped(message)}</p>`);
  return [
    "default_type text/html;",
    `set $wait ${Math.ceil(milliseconds(retryAfter) / 1000)};`,
    ...block(`if ($${waits})`, [`return 503 ${literal(page)};`]),
  ];
}
