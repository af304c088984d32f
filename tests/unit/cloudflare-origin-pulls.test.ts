import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { originPullCa } from "../../components/cloudflare/origin-pull-ca.ts";
import { clientCertificate } from "../support/client-certificate.ts";
import { record, type Recording } from "../support/mocks.ts";
import { problemsOf } from "../support/problems.ts";
import { sampleConfig, sampleRaw } from "../support/sample-config.ts";

const zoneId = "0123456789abcdef0123456789abcdef";
const [own, other] = [clientCertificate(), clientCertificate()];
const zone = (originPulls: object, more: object = {}) => ({
  "berth:cloudflare": { zoneId, proxied: true, originPulls: { stage: "demanded", ...originPulls }, ...more },
});
const ownKey = { "berth:originPullKey": own.key };
const pair = { certificate: own.certificate, ca: own.ca };
const line = "`pulumi config set --secret berth:originPullKey --stack local`";

const cases: readonly [what: string, changes: Record<string, unknown>, expected: string[]][] = [
  [
    "a certificate that no visitor comes with",
    zone({}, { proxied: false }),
    [
      "berth:cloudflare.originPulls: shuts every visitor out, since none comes through Cloudflare; " +
        "write proxied: true, or remove it",
    ],
  ],
  [
    "an own certificate without its CA and key",
    zone({ certificate: own.certificate }),
    [
      "berth:cloudflare.originPulls.ca: is missing; add the CA that signed the certificate",
      `berth:originPullKey: is missing; run ${line} <key.pem with the key of cloudflare.originPulls.certificate`,
    ],
  ],
  [
    "a CA without a certificate",
    zone({ ca: own.ca }),
    ["berth:cloudflare.originPulls.certificate: is missing; add the one that this CA has signed, or remove ca"],
  ],
  [
    "a CA that signed another certificate",
    { ...zone({ ...pair, ca: other.ca }), ...ownKey },
    [
      "berth:cloudflare.originPulls.ca: did not sign the certificate, which names as its issuer " +
        `"${new X509Certificate(own.ca).subject}"; add that CA`,
    ],
  ],
  [
    "the key of another certificate",
    { ...zone(pair), "berth:originPullKey": other.key },
    [`berth:originPullKey: is not the key of the certificate; run ${line} <key.pem`],
  ],
  [
    "a key that is none",
    { ...zone(pair), "berth:originPullKey": "secret-words" },
    [`berth:originPullKey: cannot be read as a private key in PEM; run ${line} <key.pem`],
  ],
  [
    "a key of no certificate",
    { ...zone({}), ...ownKey },
    ["berth:originPullKey: is the key of no certificate; remove it"],
  ],
  [
    "an own certificate in a zone of another stack",
    { ...zone(pair, { manages: "records" }), ...ownKey },
    [
      "berth:cloudflare.originPulls.certificate: belongs to the stack that manages the zone; move it there, " +
        "and keep its CA here",
    ],
  ],
  [
    "sites that there are not",
    zone({ sites: ["${domain}", "www.${domain}"] }),
    [
      'berth:cloudflare.originPulls.sites[1]: is no host of the system, got "www.${domain}"; ' +
        "use palmistry.test or api.palmistry.test",
    ],
  ],
  [
    "a certificate that cannot be read",
    { ...zone({ ...pair, ca: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" }), ...ownKey },
    ["berth:cloudflare.originPulls.ca: cannot be read as a certificate; paste it again, every line of it"],
  ],
];

describe("the certificate that Cloudflare shows to the edge", () => {
  for (const [what, changes, expected] of cases) {
    it(`rejects ${what}`, () => {
      assert.deepEqual(problemsOf(sampleRaw(changes)), expected);
    });
  }

  it("may have a CA in transition", () => {
    assert.deepEqual(problemsOf(sampleRaw({ ...zone({ ...pair, ca: other.ca + own.ca }), ...ownKey })), []);
  });

  it("is of a CA that signs itself, as Cloudflare publishes it", () => {
    const ca = new X509Certificate(originPullCa());
    assert.ok(ca.verify(ca.publicKey));
    assert.match(ca.subject, /^CN=origin-pull\.cloudflare\.net$/m);
  });

  async function build(changes: Record<string, unknown>): Promise<Recording<unknown>> {
    const config = sampleConfig(changes);
    return record(async () => {
      const { OriginPulls } = await import("../../components/cloudflare/origin-pulls.ts");
      return new OriginPulls("pulls", { config });
    });
  }

  it("is Cloudflare's own, switched on by the zone's setting", async () => {
    const pulls = await build(zone({}));
    assert.deepEqual(pulls.names(), [
      "pulls berth:cloudflare:OriginPulls",
      "pulls-tls_client_auth cloudflare:index/zoneSetting:ZoneSetting",
    ]);
    const { inputs } = pulls.get("pulls-tls_client_auth");
    assert.deepEqual(inputs, { zoneId, settingId: "tls_client_auth", value: "on" });
  });

  it("is the stack's own, uploaded before it is switched on, its key a secret", async () => {
    const pulls = await build({ ...zone(pair), ...ownKey });
    const certificate = pulls.get("pulls-certificate");
    assert.deepEqual(certificate.inputs, { zoneId, certificate: own.certificate, privateKey: own.key });
    assert.deepEqual(certificate.secrets, ["privateKey"]);
    const settings = pulls.get("pulls-settings");
    assert.deepEqual(settings.inputs, { zoneId, enabled: true });
    assert.deepEqual(settings.dependsOn, ["pulls-certificate"]);
  });

  it("is left to the stack that manages the zone", async () => {
    assert.deepEqual((await build(zone({ ca: own.ca }, { manages: "records" }))).names(), [
      "pulls berth:cloudflare:OriginPulls",
    ]);
  });
});
