import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sites } from "../support/edge-sites.ts";
import { TestEdge, visit } from "./edge-host.ts";

const host = "shop.test";
/** What a proxy says, or somebody who would like to be taken for another visitor. */
const said = (address: string) => ({
  "cf-connecting-ip": address,
  "cf-ipcountry": "DE",
  "x-forwarded-for": address,
  "x-real-ip": address,
  "true-client-ip": address,
  forwarded: `for=${address}`,
  "x-forwarded-host": "evil.test",
});
/** Wherever the daemon of this machine has its bridges. */
const here = ["10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

describe("the address of a visitor", function () {
  this.timeout(120_000);
  let edge: TestEdge;

  before(async () => {
    edge = await TestEdge.start();
    edge.proxyRanges = ["192.0.2.0/24", "2001:db8::/32"];
    await edge.mirror("shop-api");
    await edge.must(edge.runtime());
    await edge.must(edge.site(input(true), "10 seconds"));
  });
  after(() => edge.stop());

  const input = (proxied: boolean) => ({
    ...sites(
      "shop",
      { api: 8000 },
      [
        {
          host,
          routes: [
            { path: "/", service: "api" },
            { path: "/once", service: "api", limit: "one" },
            { path: "/admin", service: "api", access: "operators" },
          ],
        },
      ],
      { one: { rate: "1 r/m", burst: 0 } },
    ),
    proxied,
    operators: ["203.0.113.0/24"],
  });

  async function see(address: string): Promise<{ headers: Record<string, string>; client: string; country: string }> {
    const answer = await visit(edge, host, "/", { headers: said(address) });
    const { headers } = JSON.parse(answer.body) as { headers: Record<string, string> };
    const name = answer.headers["x-request-id"];
    const line = await edge.logged("the request", (entry) => entry.includes(`"requestId":"${String(name)}"`));
    return { headers, ...(JSON.parse(line) as { client: string; country: string }) };
  }
  const once = async (address: string) => (await visit(edge, host, "/once", { headers: said(address) })).status;

  const admitted = async (address: string) => (await visit(edge, host, "/admin", { headers: said(address) })).status;

  async function ignored(): Promise<void> {
    const { headers, client, country } = await see("203.0.113.9");
    assert.match(client, /^(?!203\.0\.113)\d+\.\d+\.\d+\.\d+$/);
    assert.equal(headers["x-real-ip"], client);
    assert.equal(headers["x-forwarded-for"]?.split(", ").at(-1), client, "the edge's word is the last");
    assert.deepEqual([country, headers["cf-ipcountry"]], ["", undefined]);
    assert.ok(!JSON.stringify({ ...headers, "x-forwarded-for": "" }).includes("203.0.113.9"), JSON.stringify(headers));
  }

  it("is not what somebody outside of Cloudflare's networks says", async () => {
    await ignored();
    const { headers, client } = await see("203.0.113.9");
    assert.deepEqual([headers["cf-connecting-ip"], headers["x-forwarded-host"]], [client, host]);
    assert.equal(await once("203.0.113.1"), 200);
    assert.equal(await once("203.0.113.2"), 429, "another address is no other visitor");
    assert.equal(await admitted("203.0.113.1"), 403, "nobody becomes an operator by a header");
  });

  it("is what Cloudflare says, from the networks that the host has heard of, without a deploy", async () => {
    const [before] = await edge.links();
    await writeFile(join(edge.root, "ranges"), `${here.join("\n")}\n`);
    await edge.must(edge.edge(["ranges"]));
    const { headers, client, country } = await see("203.0.113.9");
    assert.deepEqual([client, country], ["203.0.113.9", "DE"]);
    assert.deepEqual([headers["x-real-ip"], headers["cf-connecting-ip"]], ["203.0.113.9", "203.0.113.9"]);
    assert.equal(headers["cf-ipcountry"], "DE");
    assert.equal(await once("203.0.113.3"), 200);
    assert.equal(await once("203.0.113.4"), 200, "each visitor has a rate of their own");
    assert.equal(await once("203.0.113.4"), 429);
    assert.deepEqual([await admitted("203.0.113.1"), await admitted("198.51.100.1")], [200, 403]);
    assert.notEqual((await edge.links())[0], before);
  });

  it("stays what it was when a list cannot be served", async () => {
    const before = await edge.links();
    await writeFile(join(edge.root, "ranges"), "192.0.2.0/240\n");
    const { code, output } = await edge.edge(["ranges"]);
    assert.notEqual(code, 0);
    assert.match(output, /ranges\.conf:1: set_real_ip_from 192\.0\.2\.0\/240;/);
    assert.match(output, /nginx refuses the configuration; the live one stays/);
    assert.deepEqual(await edge.links(), before);
    assert.equal((await see("203.0.113.9")).client, "203.0.113.9");
  });

  it("is by the host's list after a deploy too, whatever berth came with", async () => {
    await writeFile(join(edge.root, "ranges"), `${here.join("\n")}\n`);
    await edge.must(edge.site({ ...input(true), peers: ["10.255.0.9"] }, "10 seconds"));
    assert.equal((await see("203.0.113.9")).client, "203.0.113.9");
  });

  it("is nobody's to say where visitors come without a proxy", async () => {
    await edge.must(edge.site(input(false), "10 seconds"));
    await ignored();
    assert.equal((await see("203.0.113.9")).headers["cf-connecting-ip"], undefined);
  });
});
