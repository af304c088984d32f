import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import type { DnsRecord } from "../../lab/cloudflare/record.ts";
import { TestCloudflare } from "../support/cloudflare.ts";

describe("the lab's Cloudflare: API", () => {
  let lab: TestCloudflare;
  let records: string;
  let settings: string;
  before(async () => {
    lab = await TestCloudflare.start();
    records = `/zones/${lab.zone.id}/dns_records`;
    settings = `/zones/${lab.zone.id}/settings`;
  });
  after(() => lab.stop());
  afterEach(() => lab.tokens(lab.token));

  describe("tokens", () => {
    it("verifies a good token and refuses another", async () => {
      const good = await lab.call("GET", "/user/tokens/verify");
      assert.equal((good.result as { status: string }).status, "active");
      const bad = await lab.call("GET", "/user/tokens/verify", undefined, { authorization: "Bearer nobody" });
      assert.deepEqual([bad.status, bad.errors], [401, [{ code: 1000, message: "Invalid API Token" }]]);
    });

    it("refuses calls without a token, with a malformed and with an unknown one", async () => {
      const plain = await fetch(`${lab.baseUrl}${records}`);
      assert.equal(plain.status, 400);
      assert.equal(((await plain.json()) as { errors: { code: number }[] }).errors[0]?.code, 9106);
      const malformed = await lab.call("GET", records, undefined, { authorization: "Bearer two words" });
      assert.deepEqual([malformed.status, malformed.errors.map(({ code }) => code)], [400, [6003, 6111]]);
      const unknown = await lab.call("GET", records, undefined, { authorization: "Bearer nobody" });
      assert.deepEqual([unknown.status, unknown.errors[0]?.code], [403, 9109]);
    });

    it("grants only what the token's permissions say", async () => {
      await lab.tokens(`${lab.token} DNS Read, Zone Settings Read`);
      assert.equal((await lab.call("GET", records)).status, 200);
      assert.equal((await lab.call("GET", `${settings}/ssl`)).status, 200);
      const write = await lab.call("POST", records, {});
      assert.deepEqual([write.status, write.errors], [403, [{ code: 10_000, message: "Authentication error" }]]);
      const message = "Unauthorized to access requested resource";
      for (const refused of [
        await lab.call("PATCH", `${settings}/ssl`, { value: "strict" }),
        await lab.call("GET", `/zones/${lab.zone.id}`),
        await lab.call("GET", "/zones"),
      ])
        assert.deepEqual([refused.status, refused.errors], [403, [{ code: 9109, message }]]);
    });
  });

  describe("routes", () => {
    it("answers for zones that exist", async () => {
      assert.equal(((await lab.call("GET", `/zones/${lab.zone.id}`)).result as { name: string }).name, lab.zone.name);
      const byName = await lab.call("GET", "/zones?name=cap.palmistry.test&per_page=5");
      assert.deepEqual(
        (byName.result as { id: string }[]).map(({ id }) => id),
        [lab.other.id],
      );
      assert.deepEqual((await lab.call("GET", "/zones?name=nobody.test")).result, []);
    });

    for (const [method, path, status, code] of [
      ["GET", "/accounts", 400, 7000],
      ["PUT", "/zones", 405, 10_405],
      ["GET", "/zones/ZONE/purge_cache", 405, 10_405],
      ["GET", "/zones/ZONE/pagerules", 404, 7003],
      ["GET", "/zones/ZONE/load_balancers/pools/x", 404, 7003],
      ["GET", "/zones/ffffffffffffffffffffffffffffffff/dns_records", 404, 7003],
      ["GET", "/zones/ZONE/dns_records/export", 404, 7003],
      ["PUT", "/zones/ZONE/dns_records", 405, 10_405],
      ["POST", "/zones/ZONE/settings/ssl", 405, 10_405],
      ["PATCH", "/zones/ZONE/settings", 405, 10_405],
      ["DELETE", "/zones/ZONE/settings/ssl", 405, 10_405],
    ] as const)
      it(`refuses ${method} ${path} in Cloudflare's form`, async () => {
        const answer = await lab.call(method, path.replace("ZONE", lab.zone.id), method === "GET" ? undefined : {});
        assert.deepEqual([answer.status, answer.success, answer.errors[0]?.code], [status, false, code]);
        assert.equal(answer.result, null);
      });

    it("refuses bodies that are not JSON objects", async () => {
      for (const body of ["{", "[]", '"A"'])
        assert.equal((await lab.call("POST", records, body)).errors[0]?.code, 9207);
      const form = await lab.call("POST", records, "a=1", { "content-type": "application/x-www-form-urlencoded" });
      assert.match(form.errors[0]?.message ?? "", /content-type must be application\/json/);
    });
  });

  describe("lists", () => {
    before(async () => {
      for (const [index, name] of ["a", "b", "c"].entries())
        await lab.create({ type: "A", name: `${name}.palmistry.test`, content: `192.0.2.${index}`, comment: name });
      await lab.create({ type: "TXT", name: "a.palmistry.test", content: "hello" });
    });
    const names = async (query: string) =>
      ((await lab.call("GET", `${records}?${query}`)).result as DnsRecord[]).map(({ type, name }) => type + " " + name);

    for (const [query, expected] of [
      ["type=TXT", ["TXT a.palmistry.test"]],
      ["name=A.palmistry.test&type=A", ["A a.palmistry.test"]],
      ["name.startswith=b", ["A b.palmistry.test"]],
      ["content=192.0.2.2", ["A c.palmistry.test"]],
      ["content.contains=ell", ["TXT a.palmistry.test"]],
      ["comment.absent=", ["TXT a.palmistry.test"]],
      ["match=any&type=TXT&comment=c", ["A c.palmistry.test", "TXT a.palmistry.test"]],
      ["type=A&order=name&direction=desc&per_page=2", ["A c.palmistry.test", "A b.palmistry.test"]],
      ["type=A&order=name&direction=desc&per_page=2&page=2", ["A a.palmistry.test"]],
      ["proxied=true", []],
    ] as const)
      it(`filters by ${query}`, async () => {
        assert.deepEqual(await names(query), expected);
      });

    it("counts pages", async () => {
      const { result_info } = await lab.call("GET", `${records}?per_page=3&page=2`);
      assert.deepEqual(result_info, { page: 2, per_page: 3, count: 1, total_count: 4, total_pages: 2 });
    });

    it("rejects filters it does not know, rather than ignoring them", async () => {
      for (const query of ["nmae=a", "name.like=a", "order=age", "per_page=0", "page=x"]) {
        const { status, errors } = await lab.call("GET", `${records}?${query}`);
        assert.deepEqual([status, errors[0]?.code], [400, 9207], query);
      }
    });
  });

  describe("zone settings", () => {
    it("changes a setting, keeps it over a restart and gives it back", async () => {
      assert.equal(((await lab.call("GET", `${settings}/ssl`)).result as { value: string }).value, "full");
      const changed = await lab.call("PATCH", `${settings}/ssl`, { value: "strict" });
      await lab.restart();
      assert.deepEqual((await lab.call("GET", `${settings}/ssl`)).result, changed.result);
      const { id, value, editable } = changed.result as Record<string, unknown>;
      assert.deepEqual({ id, value, editable }, { id: "ssl", value: "strict", editable: true });
    });

    it("accepts the documented form of HSTS", async () => {
      const value = { strict_transport_security: { enabled: true, max_age: 31_536_000, include_subdomains: true } };
      assert.equal((await lab.call("PATCH", `${settings}/security_header`, { value })).status, 200);
    });

    it("lists all settings", async () => {
      const ids = ((await lab.call("GET", settings)).result as { id: string }[]).map(({ id }) => id);
      for (const id of ["always_use_https", "brotli", "http3", "min_tls_version", "ssl", "tls_1_3"])
        assert.ok(ids.includes(id), id);
    });

    for (const [id, body, code] of [
      ["ssl", { value: "full_strict" }, 1007],
      ["ssl", {}, 1007],
      ["min_tls_version", { value: 1.2 }, 1007],
      ["browser_cache_ttl", { value: "14400" }, 1007],
      ["security_header", { value: { enabled: true } }, 1007],
      ["minTlsVersion", { value: "1.2" }, 1006],
      ["toString", { value: "on" }, 1006],
      ["ssl", { value: "full", enabled: true }, 9207],
    ] as const)
      it(`rejects ${JSON.stringify(body)} for ${id}`, async () => {
        const { status, errors } = await lab.call("PATCH", `${settings}/${id}`, body);
        assert.deepEqual([status, errors[0]?.code], [400, code]);
      });
  });

  describe("the lab's own handles", () => {
    it("tells that it is ready, and its zones", async () => {
      const health = (await (await fetch(`${lab.origin}/lab/health`)).json()) as { status: string; zones: unknown[] };
      assert.deepEqual([health.status, health.zones.length], ["ok", 2]);
    });

    it("fails on order, as often as ordered, and then works again", async () => {
      await lab.order({ method: "GET", path: "/dns_records", status: 429, retryAfter: 7, times: 2 });
      for (const round of [1, 2]) {
        const { status, headers, errors } = await lab.call("GET", records);
        assert.deepEqual([status, headers.get("retry-after"), errors[0]?.code], [429, "7", 10_100], `round ${round}`);
        assert.equal(headers.get("x-should-retry"), null);
      }
      assert.equal((await lab.call("GET", records)).status, 200);
    });

    it("tells clients not to retry an ordered 500, unless it should be", async () => {
      await lab.order({ status: 500 });
      assert.equal((await lab.call("GET", records)).headers.get("x-should-retry"), "false");
      await lab.order({ status: 500, retry: true });
      assert.equal((await lab.call("GET", records)).headers.get("x-should-retry"), null);
    });

    it("rejects orders it does not understand", async () => {
      await assert.rejects(lab.order({ status: 200 }), /status: must be 400 to 599, got 200/);
      await assert.rejects(lab.order({ status: 500, count: 2 } as never), /unknown key .*count.*; use method, path/);
    });

    it("ends all ordered failures", async () => {
      await lab.order({ status: 500, times: 100 });
      await fetch(`${lab.origin}/lab/faults`, { method: "DELETE" });
      assert.equal((await lab.call("GET", records)).status, 200);
    });

    it("keeps its data readable by its owner only and leaves no half-written file", async () => {
      await lab.create({ type: "TXT", name: "mode.palmistry.test", content: "x" });
      assert.equal((await stat(lab.dataFile)).mode & 0o777, 0o600);
      assert.deepEqual((await readdir(lab.directory)).sort(), ["data.json", "tokens"]);
    });
  });
});
