import assert from "node:assert/strict";
import { certificateOf, resolveCertificates } from "../../components/config/certificate.ts";
import { parse, type RawConfig } from "../../components/config/load.ts";
import palmistry from "../../systems/palmistry/system.ts";
import { problemsOf } from "../support/problems.ts";
import { sampleConfig, sampleRaw } from "../support/sample-config.ts";

/* palmistry has the sites ${domain} and api.${domain}, here palmistry.test. */

const zone = { zoneId: "0".repeat(32) };
const dns = { "berth:dnsToken": "token", "berth:cloudflare": zone };
const byDns = { challenge: "dns-01" };
const origin = { issuer: "cloudflare-origin" };
const proxied = { "berth:cloudflare": { ...zone, proxied: true } };

function withCertificates(certificates: unknown, changes: Record<string, unknown> = {}): RawConfig {
  return { ...sampleRaw(changes), system: { ...palmistry, edge: { ...palmistry.edge, certificates } } };
}

const cases: [title: string, raw: RawConfig, problems: string[]][] = [
  [
    "a wildcard with HTTP-01",
    withCertificates({ main: { names: ["${domain}", "*.${domain}"] } }),
    [
      'berth:certificates.main.challenge: cannot be met for a wildcard, got "http-01" for "*.palmistry.test"; ' +
        "write dns-01, or name each host in edge.certificates.main",
    ],
  ],
  [
    "names outside the zone",
    withCertificates(
      { main: {}, other: { names: ["palmistry.org"] } },
      { ...dns, "berth:certificates": { other: byDns } },
    ),
    [
      "berth:certificates.other.challenge: cannot be met for a name outside the zone palmistry.test, " +
        'got "palmistry.org"; give it a certificate with http-01, or correct berth:cloudflare.zone',
    ],
  ],
  [
    "DNS-01 without a zone",
    sampleRaw({ "berth:dnsToken": "token", "berth:certificates": { main: byDns } }),
    [
      'berth:certificates.main.challenge: needs a Cloudflare zone, got "dns-01"; ' +
        "write http-01, or the zone under berth:cloudflare",
    ],
  ],
  [
    "DNS-01 without a token",
    sampleRaw({ "berth:cloudflare": zone, "berth:certificates": { main: byDns } }),
    [
      "berth:dnsToken: is missing; make a token that may edit the DNS of the zone and nothing else, " +
        "and run `pulumi config set --secret berth:dnsToken --stack local`",
    ],
  ],
  [
    "a token in clear",
    { ...sampleRaw(dns), secretKeys: ["palmistry:OPENAI_API_KEY"] },
    [
      "berth:dnsToken: stands in clear in the stack file; replace it where it was issued, " +
        "then run `pulumi config set --secret berth:dnsToken --stack local`",
    ],
  ],
  [
    "a way to get a certificate that there is not",
    sampleRaw({ "berth:certificates": { mian: {} } }),
    ["berth:certificates.mian: is not a certificate of the system; use main"],
  ],
  [
    "a challenge that there is not",
    sampleRaw({ "berth:certificates": { main: { challenge: "tls-alpn-01" } } }),
    ['berth:certificates.main.challenge: is not one of the choices, got "tls-alpn-01"; write http-01 or dns-01'],
  ],
  [
    "a certificate of the Origin CA without a zone",
    sampleRaw({ "berth:certificates": { main: origin } }),
    [
      'berth:certificates.main.issuer: needs a Cloudflare zone, got "cloudflare-origin"; ' +
        "write acme, or the zone under berth:cloudflare",
    ],
  ],
  [
    "a certificate of the Origin CA where visitors reach the hosts",
    sampleRaw({ "berth:cloudflare": zone, "berth:certificates": { main: origin } }),
    [
      'berth:certificates.main.issuer: is trusted by no visitor, got "cloudflare-origin"; ' +
        "write acme, or proxied: true under berth:cloudflare",
    ],
  ],
  [
    "names and keys that the Origin CA does not sign",
    withCertificates(
      { main: {}, other: { names: ["palmistry.org"], key: "ecdsa-p384" } },
      { ...proxied, "berth:certificates": { other: origin } },
    ),
    [
      "berth:certificates.other.issuer: does not sign for a name outside the zone palmistry.test, " +
        'got "palmistry.org"; give it a certificate with acme, or correct berth:cloudflare.zone',
      'berth:certificates.other.issuer: signs keys of P-256 and RSA alone, got "ecdsa-p384"; ' +
        "change edge.certificates.other.key, or write acme",
    ],
  ],
  [
    "what the other issuer knows nothing of",
    withCertificates(
      { main: {}, other: { names: ["*.palmistry.test"] } },
      { ...proxied, "berth:certificates": { main: { validity: 90 }, other: { ...origin, challenge: "http-01" } } },
    ),
    [
      "berth:certificates.main.validity: does not apply to the issuer acme, got 90; remove it",
      "berth:certificates.other.challenge: does not apply to the issuer cloudflare-origin, " +
        'got "http-01"; remove it',
    ],
  ],
  [
    "a validity that the Origin CA does not know",
    sampleRaw({ ...proxied, "berth:certificates": { main: { ...origin, validity: 60 } } }),
    [
      "berth:certificates.main.validity: is not one of the choices, got 60; " +
        "write 7, 30, 90, 365, 730, 1095 or 5475",
    ],
  ],
  [
    "a site in no certificate",
    withCertificates({ main: { names: ["${domain}"] } }),
    [
      'system.edge.sites[1].host: is in no certificate, got "api.palmistry.test"; ' +
        "add it to `names` of one under edge.certificates",
    ],
  ],
  [
    "a name that is none, is there twice, or in two certificates",
    withCertificates({
      main: { names: ["${domain}", "api.${domain}", "${domain}", "shop_1.palmistry.test"] },
      second: { names: ["api.${domain}"] },
    }),
    [
      'system.edge.certificates.main.names[2]: is there twice, got "palmistry.test"; remove one',
      'system.edge.certificates.main.names[3]: is not a host name, got "shop_1.palmistry.test"; ' +
        "write a full name or *. before one, in lower case",
      'system.edge.certificates.second.names[0]: is in certificate "main" too, got "api.palmistry.test"; ' +
        "remove it from one of them",
    ],
  ],
  [
    "a name beside the wildcard that covers it",
    withCertificates(
      { main: { names: ["${domain}", "*.${domain}", "api.${domain}"] } },
      { ...dns, "berth:certificates": { main: byDns } },
    ),
    [
      'system.edge.certificates.main.names[2]: is covered by "*.palmistry.test", got "api.palmistry.test"; ' +
        "remove it, authorities refuse both at once",
    ],
  ],
  [
    "two certificates for all other sites",
    withCertificates({ main: {}, second: {} }),
    [
      'system.edge.certificates.second.names: is missing, and "main" has none either; ' +
        "one certificate can be for all other sites, name those of this one",
    ],
  ],
  [
    "a certificate that is left with no site",
    withCertificates({ main: {}, all: { names: ["${domain}", "api.${domain}"] } }),
    ["system.edge.certificates.main: is for no site: each has another certificate; remove it"],
  ],
];

describe("certificates", () => {
  for (const [title, raw, problems] of cases) {
    it(`rejects ${title}`, () => {
      assert.deepEqual(problemsOf(raw), problems);
    });
  }

  it("are one for all sites when nothing is said", () => {
    const main = {
      name: "main",
      names: ["palmistry.test", "api.palmistry.test"],
      key: "ecdsa-p256",
      issuer: "acme",
      challenge: "http-01",
    };
    assert.deepEqual(sampleConfig().certificates, [main]);
    assert.equal(sampleConfig().dnsToken, undefined);
  });

  it("may be several, got in different ways, in a zone above the domain", () => {
    const raw = withCertificates(
      { main: { key: "rsa-4096" }, wild: { names: ["*.palmistry.test"] } },
      {
        ...dns,
        "berth:domain": "eu.palmistry.test",
        "berth:cloudflare": { ...zone, zone: "palmistry.test" },
        "berth:certificates": { wild: byDns },
      },
    );
    assert.deepEqual(parse(raw).certificates, [
      { name: "main", names: ["api.eu.palmistry.test"], key: "rsa-4096", issuer: "acme", challenge: "http-01" },
      { name: "wild", names: ["*.palmistry.test"], key: "ecdsa-p256", issuer: "acme", challenge: "dns-01" },
    ]);
  });

  it("may be signed by Cloudflare's Origin CA, for as long as it signs at all", () => {
    const config = sampleConfig({ ...proxied, "berth:certificates": { main: { ...origin, generation: 2 } } });
    assert.deepEqual(config.certificates, [
      {
        name: "main",
        names: ["palmistry.test", "api.palmistry.test"],
        key: "ecdsa-p256",
        issuer: "cloudflare-origin",
        validity: 5475,
        generation: 2,
      },
    ]);
  });

  it("are chosen for a site by its name before a wildcard, which stands for one label", () => {
    const list = resolveCertificates(
      { certificates: { wild: { names: ["*.a.test"] }, main: { names: ["b.a.test"] } } },
      "a.test",
      {},
    );
    const chosen = (host: string) => certificateOf(list, host)?.name;
    assert.deepEqual(["b.a.test", "c.a.test", "a.test", "d.c.a.test"].map(chosen), [
      "main",
      "wild",
      undefined,
      undefined,
    ]);
  });
});
