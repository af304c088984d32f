import assert from "node:assert/strict";
import { explain, refusalOf, type Failure } from "../../components/cloudflare/refusals.ts";

const url = "https://api.cloudflare.com/client/v4/";
const ruleset = { name: "zone-http_ratelimit", type: "cloudflare:index/ruleset:Ruleset" };
const failure = (words: string, more: Partial<Failure> = {}): Failure => ({
  ...ruleset,
  newInputs: { phase: "http_ratelimit" },
  errors: [words],
  ...more,
});
const said = (one: Failure): string | undefined => {
  const refusal = refusalOf(one);
  return refusal && explain(refusal);
};
const errors = (code: number, message: string): string =>
  JSON.stringify({ success: false, errors: [{ code, message }], messages: [], result: null });
const dns: Partial<Failure> = { name: "dns-vm-1-a.test", type: "cloudflare:index/dnsRecord:DnsRecord" };

const cases: readonly [what: string, failure: Failure, expected: string][] = [
  [
    "a permission that the token lacks, by the phase of a ruleset",
    failure(
      `failed to make http request: POST "${url}zones/z/rulesets": 403 Forbidden ${errors(10000, "Authentication error")}`,
    ),
    'cloudflare:apiToken: lacks the permission "Zone WAF Write" on this zone, got 403 from POST zones/z/rulesets for ' +
      "zone-http_ratelimit; edit the token and add it (in the dashboard: Zone, Zone WAF, Edit), then run pulumi up again",
  ],
  [
    "one with another name in the dashboard",
    failure(`PUT "${url}zones/z/rulesets/r": 403 Forbidden ${errors(10000, "Authentication error")}`, {
      newInputs: { phase: "http_response_headers_transform" },
    }),
    'cloudflare:apiToken: lacks the permission "Zone Transform Rules Write" on this zone, got 403 from PUT ' +
      "zones/z/rulesets/r for zone-http_ratelimit; edit the token and add it (in the dashboard: Zone, Transform Rules, " +
      "Edit), then run pulumi up again",
  ],
  [
    "one for what is being deleted",
    failure(`DELETE "${url}zones/z/dns_records/r": 403 Forbidden ${errors(10000, "Authentication error")}`, {
      ...{ ...dns, newInputs: {}, oldInputs: {} },
    }),
    'cloudflare:apiToken: lacks the permission "DNS Write" on this zone, got 403 from DELETE zones/z/dns_records/r for ' +
      "dns-vm-1-a.test; edit the token and add it (in the dashboard: Zone, DNS, Edit), then run pulumi up again",
  ],
  [
    "a token that nobody knows",
    failure(`GET "${url}zones/z/settings/ssl": 403 Forbidden ${errors(9109, "Invalid access token")}`),
    "cloudflare:apiToken: is not a token that Cloudflare knows, or it has expired, got 403 from GET " +
      "zones/z/settings/ssl for zone-http_ratelimit; make a new one, then run " +
      "`pulumi config set --secret cloudflare:apiToken`",
  ],
  [
    "what is there already",
    failure(
      `POST "${url}zones/z/dns_records": 400 Bad Request ${errors(81058, "An identical record already exists.")}`,
      dns,
    ),
    "berth:cloudflare.adopt: does not name what is there already and is not in the state of this stack, got 400 from POST " +
      'zones/z/dns_records for dns-vm-1-a.test; nothing was overwritten. Add "dns-vm-1-a.test: <zone id>/<record id>" ' +
      "there, or remove it at Cloudflare; see docs/cloudflare.md",
  ],
  [
    "too many calls",
    failure(`PUT "${url}zones/z/rulesets/r": 429 Too Many Requests ${errors(10100, "More than 1200 requests")}`),
    "Cloudflare: has had too many calls of this account, got 429 from PUT zones/z/rulesets/r for zone-http_ratelimit; " +
      "wait five minutes, then run pulumi up again. What has been done stays, the rest follows",
  ],
  [
    "what somebody else has deleted",
    failure(`DELETE "${url}zones/z/dns_records/r": 404 Not Found ${errors(81044, "Record does not exist.")}`, dns),
    "Cloudflare: does not have it any more, got 404 from DELETE zones/z/dns_records/r for dns-vm-1-a.test; run pulumi " +
      "refresh, then pulumi up again",
  ],
  [
    "an outage, as Go says that nobody answers",
    failure(`failed to make http request: Post "${url}zones/z/rulesets": dial tcp 192.0.2.1:443: i/o timeout`),
    "Cloudflare: did not carry out a call, got no answer from POST zones/z/rulesets for zone-http_ratelimit; see " +
      "https://www.cloudflarestatus.com, then run pulumi up again. What has been done stays, the rest follows",
  ],
];

describe("a refusal by Cloudflare", () => {
  for (const [what, one, expected] of cases) {
    it(`is explained: ${what}`, () => {
      assert.equal(said(one), expected);
    });
  }

  it("is left in Cloudflare's own words where those say it best, and where no call failed", () => {
    const value = errors(1007, "Invalid value for zone setting ssl");
    assert.equal(said(failure(`PATCH "${url}zones/z/settings/ssl": 400 Bad Request ${value}`)), undefined);
    assert.equal(
      said(failure(`PUT "${url}zones/z/x": 403 Forbidden ${errors(1139, "not available for your plan")}`)),
      undefined,
    );
    const zone = errors(7003, "Could not route to /zones/z/settings/ssl, perhaps your object identifier is invalid?");
    assert.equal(said(failure(`PATCH "${url}zones/z/settings/ssl": 404 Not Found ${zone}`)), undefined);
    assert.equal(said(failure("timed out")), undefined);
  });
});
