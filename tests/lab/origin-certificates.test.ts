import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { request } from "node:https";
import type { AcmeCertificate, OriginCertificate } from "../../components/config/certificate.ts";
import { issuedCommand, requestCommand } from "../../components/edge/edge.render.ts";
import { sites } from "../support/edge-sites.ts";
import { CertbotHost } from "./certbot-host.ts";

const drain = "10 seconds";
const site = "shop.palmistry.test";
const user = { user: "root" };
const period = 7;

const origin: OriginCertificate = {
  name: "main",
  names: [site, "*.shop.palmistry.test"],
  key: "ecdsa-p256",
  issuer: "cloudflare-origin",
  validity: 90,
  generation: 1,
};
const acme: AcmeCertificate = {
  name: "main",
  names: [site],
  key: "ecdsa-p256",
  issuer: "acme",
  challenge: "http-01",
};

interface Signed {
  readonly id: string;
  readonly certificate: string;
}

describe("certificates of the Origin CA on an edge host", function () {
  this.timeout(180_000);
  let host: CertbotHost;

  before(async () => {
    host = await CertbotHost.begin();
    await host.cloudflare.create({ type: "A", name: site, content: "127.0.0.1" });
    await host.task("shop-api");
    await host.must(host.runtime());
    await host.must(serve());
  });
  after(() => host.stop());

  function serve() {
    const input = sites("shop", { api: 8000 }, [{ host: site, routes: [{ path: "/", service: "api" }] }]);
    return host.serve({ ...input, certificates: [origin] }, drain);
  }

  async function asked(certificate = origin): Promise<string> {
    const { code, output } = await host.origin(requestCommand(user, "shop", certificate, period));
    assert.equal(code, 0, output);
    return output;
  }

  /** As the provider does. */
  async function sign(csr: string, kind: "origin-ecc" | "origin-rsa" = "origin-ecc"): Promise<Signed> {
    const body = { csr, hostnames: origin.names, request_type: kind, requested_validity: origin.validity };
    const { result, errors } = await host.cloudflare.call("POST", "/certificates", body);
    assert.deepEqual(errors, []);
    return result as Signed;
  }

  const serveSigned = (pem: string) => host.origin(issuedCommand(user, "shop", origin), pem);
  const shown = async () => new X509Certificate((await host.shown(site)).raw);

  async function root(kind: "rsa" | "ec"): Promise<string> {
    const answer = await fetch(`${host.cloudflare.origin}/lab/origin-ca/${kind}`);
    return ((await answer.json()) as { certificate: string }).certificate;
  }

  /** What a proxy with strict TLS gets, that trusts the Origin CA and nobody else. */
  async function throughCloudflare(kind: "rsa" | "ec" = "ec"): Promise<string> {
    const ca = await root(kind);
    return new Promise((resolve, reject) => {
      const to = { host: "127.0.0.1", port: host.httpsPort, servername: site, ca, agent: false, path: "/version" };
      request({ ...to, headers: { host: site } }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text: string) => (body += text));
        answer.on("end", () => {
          resolve(body);
        });
      })
        .on("error", reject)
        .end();
    });
  }

  it("are shown to Cloudflare, whose strict TLS accepts them", async () => {
    await assert.rejects(throughCloudflare(), /self-signed certificate/, "a placeholder before");
    const { certificate } = await sign(await asked());
    await host.must(serveSigned(certificate));
    assert.equal(await throughCloudflare(), "1.0.0");
    const { placeholder, last_attempt_failed: failed, ...times } = await host.metrics("main");
    assert.deepEqual({ placeholder, failed }, { placeholder: 0, failed: 0 });
    const { expires_timestamp_seconds: expires = 0, issued_timestamp_seconds: issued = 0 } = times;
    assert.equal(Math.round((expires - issued) / 86_400), origin.validity);
  });

  it("have a key that only root of the host can read, and that no answer of the host has in it", async () => {
    assert.match(await asked(), /^-----BEGIN CERTIFICATE REQUEST-----\n[^-]*-----END CERTIFICATE REQUEST-----\n$/);
    const keys = await host.onHost(`find ${host.root}/secrets -name privkey.pem -exec stat -c '%a %U' {} +`);
    assert.equal(keys.trim(), "600 root");
    assert.equal((await host.onHost(`stat -c '%a %U' ${host.root}/secrets`)).trim(), "700 root");
  });

  it("are asked for once, however often an interrupted `up` asks", async () => {
    const before = (await shown()).serialNumber;
    assert.equal(await asked(), await asked());
    await host.must(serve());
    await host.must(host.edge(["upkeep"]));
    assert.equal((await shown()).serialNumber, before);
  });

  it("are replaced by another key for another generation", async () => {
    const before = await shown();
    const next = await asked({ ...origin, generation: 2 });
    assert.equal((await shown()).serialNumber, before.serialNumber, "the old one is served until the new one is there");
    await host.must(serveSigned((await sign(next)).certificate));
    const after = await shown();
    assert.notDeepEqual(after.publicKey.export({ format: "pem", type: "spki" }), before.publicKey);
    assert.notEqual(after.serialNumber, before.serialNumber);
    assert.equal(await throughCloudflare(), "1.0.0");
    const keys = await host.onHost(`find ${host.root}/secrets -name privkey.pem -type f`);
    assert.equal(keys.trim().split("\n").length, 1, keys);
  });

  it("may have an RSA key", async () => {
    const csr = await asked({ ...origin, key: "rsa-2048" });
    await host.must(serveSigned((await sign(csr, "origin-rsa")).certificate));
    assert.equal((await shown()).publicKey.asymmetricKeyType, "rsa");
    assert.equal(await throughCloudflare("rsa"), "1.0.0");
  });

  it("are refused for a key of another host, and served on", async () => {
    const before = (await shown()).serialNumber;
    const csr = await asked({ ...origin, generation: 3 });
    const { certificate } = await sign(csr);
    await host.onHost(`rm -rf ${host.root}/secrets/origin/shop-main/*`);
    const { code, output } = await serveSigned(certificate);
    assert.notEqual(code, 0);
    assert.match(output, /no key for that certificate of shop; raise berth:certificates\.main\.generation by one/);
    assert.equal((await shown()).serialNumber, before);
    const broken = await serveSigned("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert.match(broken.output, /that is no certificate/);
  });

  it("give way to an authority's, and take its place again", async () => {
    await host.must(serveSigned((await sign(await asked())).certificate));
    const names = { ...origin, names: [site] };
    await host.must(host.certificate("shop", acme));
    assert.match(String((await host.shown(site)).issuer.CN), /Pebble/);
    assert.equal((await host.onHost(`ls ${host.root}/secrets/origin`)).trim(), "", "its key is of no use any more");

    const { certificate } = await sign(await asked(names));
    await host.must(serveSigned(certificate));
    assert.equal(await throughCloudflare(), "1.0.0");
    assert.equal(await host.onHost("ls /etc/letsencrypt/renewal"), "", "certbot renews nothing that is not served");
    await host.must(host.edge(["upkeep"]));
    assert.equal(await throughCloudflare(), "1.0.0");

    await host.must(host.certificate("shop", acme));
    const lineages = await host.onHost("ls /etc/letsencrypt/live | grep shop");
    assert.equal(lineages.trim(), "shop-main", "certbot knows it for the one that it had");
  });

  it("are not renewed or revoked by hand, but by an `up`", async () => {
    await host.must(serveSigned((await sign(await asked())).certificate));
    for (const args of [
      ["renew", "shop", "main"],
      ["revoke", "shop", "main", "superseded"],
    ]) {
      const { code, output } = await host.edge(args);
      assert.notEqual(code, 0);
      assert.match(output, /is of Cloudflare's Origin CA; raise berth:certificates\.main\.generation by one/);
    }
  });

  it("are served, and nothing is signed anew, on a host that was set up anew and got its backup back", async () => {
    const [before, wish] = [(await shown()).serialNumber, await asked()];
    await host.onHost(`tar -cf /tmp/backup.tar /etc/letsencrypt ${host.root}/secrets`);
    await host.loseAll();
    await host.onHost("tar -xf /tmp/backup.tar -C /");
    await host.must(host.runtime());
    await host.must(serve());
    assert.equal(await asked(), wish, "for the same request there is a certificate in the state");
    assert.equal((await shown()).serialNumber, before);
    assert.equal(await throughCloudflare(), "1.0.0");
  });

  it("are got anew on a host that was set up anew", async () => {
    const before = await shown();
    await host.loseAll();
    await host.must(host.runtime());
    await host.must(serve());
    await host.must(serveSigned((await sign(await asked())).certificate));
    assert.notEqual((await shown()).serialNumber, before.serialNumber);
    assert.equal(await throughCloudflare(), "1.0.0");
  });

  it("leave no key behind when their system leaves", async () => {
    await host.must(host.edge(["remove", "shop"]));
    assert.equal(await host.onHost(`find ${host.root}/secrets -name privkey.pem`), "");
  });
});
