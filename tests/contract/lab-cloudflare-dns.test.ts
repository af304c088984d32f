import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import type { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { connect } from "node:net";
import * as packet from "dns-packet";
import { TestCloudflare } from "../support/cloudflare.ts";

describe("the lab's Cloudflare: DNS", () => {
  let lab: TestCloudflare;
  let resolver: Resolver;
  before(async () => {
    lab = await TestCloudflare.start();
    resolver = lab.resolver();
    for (const record of [
      { type: "A", name: "palmistry.test", content: "192.0.2.1", ttl: 60 },
      { type: "A", name: "palmistry.test", content: "192.0.2.2", ttl: 60 },
      { type: "A", name: "proxied.palmistry.test", content: "192.0.2.3", proxied: true },
      { type: "AAAA", name: "palmistry.test", content: "2001:db8::1" },
      { type: "CNAME", name: "www.palmistry.test", content: "palmistry.test" },
      { type: "CNAME", name: "far.palmistry.test", content: "cdn.example.org" },
      { type: "A", name: "*.apps.palmistry.test", content: "192.0.2.4" },
      { type: "A", name: "deep.below.palmistry.test", content: "192.0.2.5" },
      { type: "TXT", name: "quoted.palmistry.test", content: '"one" "t\\"wo"' },
      { type: "TXT", name: "plain.palmistry.test", content: "v=spf1 -all" },
      { type: "TXT", name: "long.palmistry.test", content: "x".repeat(2000) },
      { type: "MX", name: "palmistry.test", content: "mail.palmistry.test", priority: 10 },
      { type: "CAA", name: "palmistry.test", data: { flags: 0, tag: "issue", value: "letsencrypt.org" } },
    ])
      await lab.create(record);
    await lab.call("POST", `/zones/${lab.other.id}/dns_records`, {
      type: "CNAME",
      name: lab.other.name,
      content: "palmistry.test",
      ttl: 1,
    });
  });
  after(() => lab.stop());

  it("answers addresses with their ttl", async () => {
    const answers = await resolver.resolve4("palmistry.test", { ttl: true });
    assert.deepEqual(
      answers.sort((a, b) => a.address.localeCompare(b.address)),
      [
        { address: "192.0.2.1", ttl: 60 },
        { address: "192.0.2.2", ttl: 60 },
      ],
    );
    assert.deepEqual(await resolver.resolve6("PALMISTRY.test"), ["2001:db8::1"]);
  });

  it("answers mail servers, texts, CAA, name servers and the start of authority", async () => {
    const [mail] = await resolver.resolveMx("palmistry.test");
    assert.deepEqual([mail?.exchange, mail?.priority], ["mail.palmistry.test", 10]);
    assert.deepEqual(await resolver.resolveTxt("quoted.palmistry.test"), [["one", 't"wo']]);
    assert.deepEqual(await resolver.resolveTxt("plain.palmistry.test"), [["v=spf1 -all"]]);
    const [caa] = await resolver.resolveCaa("palmistry.test");
    assert.deepEqual([caa?.critical, caa?.issue], [0, "letsencrypt.org"]);
    assert.equal((await resolver.resolveNs("palmistry.test")).length, 2);
    assert.ok((await resolver.resolveSoa("palmistry.test")).serial > 0);
  });

  it("follows aliases inside its zones and flattens one at the apex", async () => {
    assert.deepEqual((await resolver.resolve4("www.palmistry.test")).sort(), ["192.0.2.1", "192.0.2.2"]);
    assert.deepEqual(await resolver.resolveCname("www.palmistry.test"), ["palmistry.test"]);
    assert.deepEqual((await resolver.resolve4(lab.other.name)).sort(), ["192.0.2.1", "192.0.2.2"]);
    assert.deepEqual(await resolver.resolveCname("far.palmistry.test"), ["cdn.example.org"]);
  });

  it("answers a proxied record with its origin: the lab has no proxy", async () => {
    assert.deepEqual(await resolver.resolve4("proxied.palmistry.test", { ttl: true }), [
      { address: "192.0.2.3", ttl: 300 },
    ]);
  });

  it("serves wildcards below their name only", async () => {
    assert.deepEqual(await resolver.resolve4("any.thing.apps.palmistry.test"), ["192.0.2.4"]);
    await assert.rejects(resolver.resolve4("apps.palmistry.test"), { code: "ENODATA" });
  });

  it("tells names that do not exist from those without such a record", async () => {
    await assert.rejects(resolver.resolve4("nobody.palmistry.test"), { code: "ENOTFOUND" });
    await assert.rejects(resolver.resolve4("plain.palmistry.test"), { code: "ENODATA" });
    await assert.rejects(resolver.resolve4("below.palmistry.test"), { code: "ENODATA" });
  });

  it("refuses names outside its zones, so that resolvers ask elsewhere", async () => {
    await assert.rejects(resolver.resolve4("example.org"), { code: "EREFUSED" });
  });

  it("shows a change at once and lets absence be cached for a second at most", async () => {
    const name = "new.palmistry.test";
    await assert.rejects(resolver.resolve4(name), { code: "ENOTFOUND" });
    const { id } = await lab.create({ type: "A", name, content: "192.0.2.9" });
    assert.deepEqual(await resolver.resolve4(name), ["192.0.2.9"]);
    await lab.records("PATCH", `/${id}`, { content: "192.0.2.10" });
    assert.deepEqual(await resolver.resolve4(name), ["192.0.2.10"]);
    const reply = await ask({ name: "absent.palmistry.test", type: "A" });
    const soa = reply.authorities?.[0] as { ttl: number; data: { minimum: number } };
    assert.deepEqual([soa.ttl, soa.data.minimum], [1, 1]);
  });

  it("truncates what a datagram can't hold and serves it over TCP", async () => {
    const truncated = await ask({ name: "long.palmistry.test", type: "TXT" });
    assert.deepEqual([truncated.flag_tc, truncated.answers?.length], [true, 0]);
    // An ordinary resolver sees the mark and comes back over TCP.
    assert.equal((await resolver.resolveTxt("long.palmistry.test"))[0]?.join("").length, 2000);
  });

  it("survives garbage on both transports", async () => {
    const garbage = Buffer.from("c0ffee00000100000000000000", "hex");
    const reply = await exchange(garbage);
    assert.equal(reply.readUInt16BE(0), 0xc0ff);
    const socket = connect(lab.dnsPort, "127.0.0.1");
    socket.end(Buffer.from("00ff", "hex"));
    await once(socket.resume(), "close");
    const odd = await ask({ name: "palmistry.test", type: "UNKNOWN_65280" as "A" });
    assert.equal(odd.answers?.length, 0);
    assert.equal((await resolver.resolve4("palmistry.test")).length, 2);
  });

  async function ask(question: packet.Question) {
    return packet.decode(await exchange(packet.encode({ type: "query", id: 7, questions: [question] })));
  }

  async function exchange(bytes: Buffer): Promise<Buffer> {
    const socket = createSocket("udp4");
    try {
      socket.send(bytes, lab.dnsPort, "127.0.0.1");
      const [reply] = (await once(socket, "message", { signal: AbortSignal.timeout(2_000) })) as [Buffer];
      return reply;
    } finally {
      socket.close();
    }
  }
});
