import assert from "node:assert/strict";
import type { AcmeCertificate } from "../../components/config/certificate.ts";
import { sites } from "../support/edge-sites.ts";
import { until } from "../support/until.ts";
import { CertbotHost } from "./certbot-host.ts";
import { visit, type Outcome } from "./edge-host.ts";

const drain = "10 seconds";
const site = "shop.palmistry.test";
const below = "a.wild.palmistry.test";
const token = "token-for-challenges-0123456789";

const common = { issuer: "acme", key: "ecdsa-p256" } as const;
const main: AcmeCertificate = { ...common, name: "main", names: [site], challenge: "http-01" };
const wild: AcmeCertificate = { ...common, name: "wild", names: ["*.wild.palmistry.test"], challenge: "dns-01" };

describe("certificates of an edge host", function () {
  this.timeout(180_000);
  let host: CertbotHost;

  const serial = async (of = site) => (await host.shown(of)).serialNumber;

  before(async () => {
    host = await CertbotHost.begin();
    await host.cloudflare.tokens(host.cloudflare.token, `${token} DNS Write, Zone Read`);
    await host.cloudflare.create({ type: "A", name: site, content: "127.0.0.1" });
    await host.task("shop-api");
    await host.must(host.runtime());
    await host.must(serve());
  });
  after(() => host.stop());

  function serve(): Promise<Outcome> {
    const routes = [{ path: "/", service: "api" }];
    const input = sites("shop", { api: 8000 }, [
      { host: site, routes },
      { host: below, routes },
    ]);
    return host.serve({ ...input, certificates: [main, wild] }, drain);
  }

  async function servesOn(): Promise<void> {
    assert.equal((await visit(host, site, "/version")).body, "1.0.0");
  }

  it("serves on when the authority does not answer, and says so in time", async () => {
    host.mood = "silent";
    await host.waits(3);
    const { code, output } = await host.certificate("shop", main);
    assert.notEqual(code, 0);
    assert.match(
      output,
      /no certificate from https:.*; the edge serves the one it had: no answer of the authority within 3 s/,
    );
    await servesOn();
    const { placeholder, last_attempt_failed: failed } = await host.metrics("main");
    assert.deepEqual({ placeholder, failed }, { placeholder: 1, failed: 1 });
  });

  it("shows a rate limit as one, with the time that the authority gives", async () => {
    host.mood = "limiting";
    await host.waits(60);
    const { code, output } = await host.certificate("shop", main);
    assert.notEqual(code, 0);
    assert.match(output, /the edge serves the one it had: rate limit of the authority: .*too many certificates/);
    assert.match(output, /retry after 2031-02-03 04:05:06 UTC.*; not before \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
    await servesOn();
  });

  it("gets a certificate by HTTP, and none in vain", async () => {
    host.mood = "well";
    await host.must(host.certificate("shop", main));
    const before = await serial();
    const shown = await host.shown(site);
    assert.match(String(shown.issuer.CN), /Pebble/);
    assert.equal(shown.asn1Curve, "prime256v1");
    const { placeholder, last_attempt_failed: failed, ...times } = await host.metrics("main");
    assert.deepEqual({ placeholder, failed }, { placeholder: 0, failed: 0 });
    const { expires_timestamp_seconds: expires = 0, issued_timestamp_seconds: issued = 0 } = times;
    assert.ok(Math.abs(expires - issued - host.lifeSeconds) < 2, `lives ${expires - issued} s`);
    await host.must(host.certificate("shop", main));
    assert.equal(await serial(), before);
  });

  it("gets another one when somebody asks for it, long before it is due", async () => {
    const before = await serial();
    await host.must(host.edge(["renew", "shop", "main"]));
    assert.notEqual(await serial(), before);
  });

  it("renews a short-lived certificate when a third of its life is left, not before", async () => {
    await host.must(host.edge(["renew", "shop", "main"]));
    const before = await serial();
    const { expires_timestamp_seconds: expires = 0 } = await host.metrics("main");
    await host.must(host.edge(["upkeep"]));
    assert.equal(await serial(), before, "nothing is due yet");
    // Whole seconds, some of them lost to rounding.
    await until("a third is left", host.lifeSeconds * 1000, () =>
      Date.now() / 1000 > expires - host.lifeSeconds / 3 + 2 ? true : undefined,
    );
    await host.must(host.edge(["upkeep"]));
    assert.notEqual(await serial(), before);
    await servesOn();
  });

  it("keeps what it has when a renewal is refused, and records why", async () => {
    const before = await serial();
    host.mood = "limiting";
    const { code, output } = await host.edge(["renew", "shop", "main"]);
    host.mood = "well";
    assert.notEqual(code, 0);
    assert.match(output, /was not renewed; the edge serves the one it had: rate limit of the authority/);
    assert.equal(await serial(), before);
    assert.equal((await host.metrics("main"))["last_attempt_failed"], 1);
  });

  it("says why the authority refuses a name, and keeps what it has", async () => {
    const before = await serial();
    // Nothing answers by this name. The other one Pebble may have proven already (lab/parts/pebble.ts).
    const names = [...main.names, "lost.palmistry.test"];
    const { code, output } = await host.certificate("shop", { ...main, names });
    assert.notEqual(code, 0, output);
    assert.match(output, /no certificate from .*; the edge serves the one it had: Detail: .*lost\.palmistry\.test/);
    assert.equal(await serial(), before);
    assert.equal((await host.metrics("main"))["last_attempt_failed"], 1);
    await servesOn();
  });

  it("gets another certificate when the kind of key changes", async () => {
    await host.must(host.certificate("shop", { ...main, key: "rsa-4096" }));
    const shown = await host.shown(site);
    assert.equal(shown.bits, 4096);
    assert.ok(shown.modulus, "it is RSA");
    await host.must(host.certificate("shop", { ...main, key: "rsa-4096" }));
    assert.equal(await serial(), shown.serialNumber);
  });

  it("gets a wildcard by DNS with a token that only root can read", async () => {
    await host.must(host.certificate("shop", wild, token));
    assert.equal((await host.shown(below)).subjectaltname, "DNS:*.wild.palmistry.test");
    assert.notEqual(await serial(below), await serial());
    const records = await host.cloudflare.list();
    assert.deepEqual(
      records.map(({ type }) => type),
      ["A"],
      "no challenge is left behind",
    );

    const places = await host.onHost(`grep -rlF ${token} /etc/letsencrypt /var/log/letsencrypt ${host.root}; true`);
    assert.deepEqual(places.trim().split("\n"), [`${host.root}/secrets/shop-wild.ini`]);
    assert.equal(
      (await host.onHost(`stat -c '%a %U' ${host.root}/secrets ${host.root}/secrets/shop-wild.ini`)).trim(),
      "700 root\n600 root",
    );
  });

  it("says what Cloudflare said when the token lacks a right", async () => {
    await host.cloudflare.tokens(host.cloudflare.token, `${token} Zone Read`);
    const before = await serial(below);
    const { code, output } = await host.edge(["renew", "shop", "wild"]);
    assert.notEqual(code, 0);
    assert.match(output, /Error communicating with the Cloudflare API: Authentication error/);
    assert.equal(await serial(below), before);
  });

  it("revokes a certificate after another one has taken its place", async () => {
    const before = await serial();
    await host.must(host.edge(["revoke", "shop", "main", "keycompromise"]));
    assert.notEqual(await serial(), before);
    assert.equal(await host.standing(before), "Revoked");
    assert.equal(await host.standing(await serial()), "Valid");
  });

  it("has the certificate again after the edge was lost, from the files that certbot keeps", async () => {
    const before = await serial();
    await host.must(host.edge(["remove", "shop"]));
    assert.equal(await host.onHost("ls /etc/letsencrypt/renewal"), "");
    const input = sites("shop", { api: 8000 }, [{ host: site, routes: [{ path: "/", service: "api" }] }]);
    await host.must(host.serve({ ...input, certificates: [main] }, drain));
    assert.equal(await serial(), before);
    assert.equal((await host.onHost("ls /etc/letsencrypt/renewal")).trim(), "shop-main.conf");
  });

  it("gets new certificates on a host that was set up anew, by what `up` runs there again", async () => {
    await host.cloudflare.tokens(host.cloudflare.token, `${token} DNS Write, Zone Read`);
    await host.must(serve());
    const before = [await serial(), await serial(below)];
    await host.loseAll();
    await host.must(host.runtime());
    await host.must(serve());
    assert.equal((await host.metrics("main"))["placeholder"], 1, "visitors find the edge before the certificate");
    await host.must(host.certificate("shop", main));
    await host.must(host.certificate("shop", wild, token));
    for (const name of [site, below]) {
      assert.match(String((await host.shown(name)).issuer.CN), /Pebble/);
      assert.ok(!before.includes(await serial(name)), name);
    }
    await servesOn();
  });
});
