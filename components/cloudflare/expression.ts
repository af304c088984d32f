import type { Route, Site } from "../config/edge.ts";

/* Conditions in Cloudflare's rules language, which means by a path prefix what the edge means by it. */

export const literal = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

const trimmed = (path: string): string => path.replace(/\/+$/, "");

/** `/api` and what is below `/api/`, not `/apinot`; undefined for every path. */
export function prefixExpression(path: string): string | undefined {
  const prefix = trimmed(path);
  if (prefix === "") return undefined;
  return `(http.request.uri.path eq ${literal(prefix)} or starts_with(http.request.uri.path, ${literal(`${prefix}/`)}))`;
}

/** Requests that the edge would answer from one of the picked routes: the longest prefix wins here too. */
export function routesExpression(
  sites: readonly Site[],
  picked: (route: Route) => boolean,
  options: { readonly host: boolean } = { host: true },
): string | undefined {
  const parts = sites.flatMap((site) =>
    site.routes.filter(picked).map((route) => {
      const prefix = trimmed(route.path);
      const inner = site.routes.filter(
        (other) => !picked(other) && trimmed(other.path).startsWith(`${prefix}/`) && other !== route,
      );
      const conditions = [
        options.host ? `http.host eq ${literal(site.host)}` : undefined,
        prefixExpression(route.path),
        ...inner.map((other) => `not ${prefixExpression(other.path) ?? ""}`),
      ].filter((one) => one !== undefined);
      return conditions.length === 0 ? "true" : `(${conditions.join(" and ")})`;
    }),
  );
  return parts.length === 0 ? undefined : [...new Set(parts)].join(" or ");
}
