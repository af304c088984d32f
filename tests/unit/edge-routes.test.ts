import assert from "node:assert/strict";
import fc from "fast-check";
import { renderSites } from "../../components/edge/site.render.ts";
import { sites } from "../support/edge-sites.ts";

const services = ["a", "b", "c", "d"];
const segment = fc.constantFrom("api", "apis", "v1", "v2", "x.y", "a b");
const routePath = fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
const routes = fc
  .uniqueArray(fc.record({ path: routePath, service: fc.constantFrom(...services), slash: fc.boolean() }), {
    selector: ({ path }) => path,
    minLength: 1,
    maxLength: 8,
  })
  .map((list) =>
    list.map(({ path, service, slash }) => ({ service, path: slash && path !== "/" ? `${path}/` : path })),
  );
const asked = fc.tuple(fc.array(segment, { maxLength: 4 }), fc.boolean());

/** Where nginx leads a path: an equal location first, else the longest prefix. */
function led(text: string, path: string): string {
  const found = [...text.matchAll(/^    location (= )?("[^"]*"|\S+) \{\n((?: {8}.*\n)*)/gm)].map(
    ([, exact, name = "", body = ""]) => ({
      exact: exact !== undefined,
      prefix: name.replace(/^"(.*)"$/, "$1"),
      to: /proxy_pass http:\/\/shop-(\w+)/.exec(body)?.[1] ?? "nobody",
    }),
  );
  const locations = found.slice(found.findIndex(({ to }) => to !== "nobody"));
  const names = locations.map(({ exact, prefix }) => `${exact} ${prefix}`);
  assert.equal(new Set(names).size, names.length, "no two locations are one to nginx");
  const equal = locations.find((one) => one.exact && one.prefix === path);
  const [longest] = locations
    .filter((one) => !one.exact && path.startsWith(one.prefix))
    .toSorted((one, other) => other.prefix.length - one.prefix.length);
  return (equal ?? longest)?.to ?? "nobody";
}

/** What a table of routes means. */
function meant(table: readonly { path: string; service: string }[], path: string): string {
  const whole = (text: string): string => `${text.replace(/\/+$/, "")}/`;
  const [longest] = table
    .filter((route) => `${path}/`.startsWith(whole(route.path)))
    .toSorted((one, other) => whole(other.path).length - whole(one.path).length);
  return longest?.service ?? "nobody";
}

describe("a table of routes", () => {
  it("leads every path by its longest prefix of whole segments, whatever the order", () => {
    fc.assert(
      fc.property(routes, fc.array(asked, { minLength: 1, maxLength: 8 }), (table, paths) => {
        const ports = Object.fromEntries(services.map((name) => [name, 80]));
        const text = renderSites(sites("shop", ports, [{ host: "shop.test", routes: table }]));
        for (const [parts, slash] of paths) {
          const path = `/${parts.join("/")}${slash && parts.length > 0 ? "/" : ""}`;
          assert.equal(led(text, path), meant(table, path), path);
        }
      }),
    );
  });
});
