import assert from "node:assert/strict";
import { permissions, type Permission } from "../../lab/cloudflare/tokens.ts";
import type { TestCloudflare } from "../support/cloudflare.ts";
import type { PulumiProject, Result } from "../support/pulumi.ts";
import type { Mapping } from "../support/systems.ts";
import { CloudflareSystem } from "./cloudflare-system.fixture.ts";

describe("changes that Cloudflare refuses, on the real engine", function () {
  this.timeout(240_000);
  let system: CloudflareSystem;
  let lab: TestCloudflare;
  let project: PulumiProject;

  const text = ({ stdout, stderr }: Result) => stdout + stderr;

  before(async () => {
    system = await CloudflareSystem.start();
    ({ lab, project } = system);
    await system.say();
    await project.mustUp();
  });
  after(async () => {
    await project.remove();
    await lab.stop();
  });

  describe("with a token that lacks", () => {
    /** Something to write for each permission. */
    const needs: readonly (readonly [Permission, RegExp, Mapping])[] = [
      [
        "DNS Write",
        /lacks the permission "DNS Write" on this zone, got 403 from POST zones\/\w+\/dns_records for records-txt-new\.palmistry\.test; .*Zone, DNS, Edit/,
        { records: [{ type: "TXT", name: "new.${domain}", text: "x" }] },
      ],
      [
        "Zone Settings Write",
        /lacks the permission "Zone Settings Write" on this zone, got 403 from PATCH zones\/\w+\/settings\/websockets for zone-websockets/,
        { settings: { websockets: "off" } },
      ],
      [
        "Zone WAF Write",
        /lacks the permission "Zone WAF Write" on this zone, got 403 from PUT zones\/\w+\/rulesets\/\w+ for zone-http_ratelimit/,
        { rateLimits: { api: { requests: 9, period: "1 minute", block: "1 minute" } } },
      ],
      [
        "Cache Settings Write",
        /lacks the permission "Cache Settings Write" .* for zone-http_request_cache_settings; .*Zone, Cache Rules, Edit/,
        { cache: {} },
      ],
      [
        "Zone Transform Rules Write",
        /lacks the permission "Zone Transform Rules Write" .* for zone-http_response_headers_transform; .*Zone, Transform Rules, Edit/,
        { headers: { "X-Robots-Tag": "none" } },
      ],
      [
        "Access: Apps and Policies Write",
        /lacks the permission "Access: Apps and Policies Write" on this account, got 403 from PUT accounts\/\w+\/access\/policies\/[\w-]+ for zone-access-policy/,
        { access: { emails: ["ada@palmistry.test"] } },
      ],
      [
        "Load Balancing: Monitors and Pools Write",
        /lacks the permission "Load Balancing: Monitors and Pools Write" on this account, got 403 from PUT accounts\/\w+\/load_balancers\/monitors\/\w+ for balancer-monitor/,
        { loadBalancer: { path: "/api/health", expect: "2xx", interval: "30 seconds" } },
      ],
    ];

    let untouched: Awaited<ReturnType<CloudflareSystem["everything"]>>;
    let said: string;
    before(async () => {
      await system.say(Object.assign({}, ...needs.map(([, , change]) => change)) as Mapping);
      untouched = await system.everything();
      const lacking = needs.map(([permission]) => permission);
      await lab.tokens(`${lab.token} ${permissions.filter((each) => !lacking.includes(each)).join(", ")}`);
      const failed = await project.run("up", "--yes", "--skip-preview", "--continue-on-error");
      await lab.tokens(lab.token);
      said = text(failed);
      assert.notEqual(failed.code, 0, said);
    });

    for (const [permission, message] of needs)
      it(`"${permission}" names the call, the permission and where to add it`, () => {
        assert.match(said, message);
      });

    it("any of them leaves nothing half done, and goes on once it has them", async () => {
      assert.ok(!said.includes(lab.token));
      assert.deepEqual(await system.everything(), untouched);
      await project.mustUp();
      assert.ok(await project.isSettled());
    });
  });

  for (const [status, message] of [
    [401, /cloudflare:apiToken: is not a token that Cloudflare knows, or it has expired, got 401 from PUT zones\//],
    [429, /Cloudflare: has had too many calls of this account, got 429 from PUT .*; wait five minutes/],
    [500, /Cloudflare: did not carry out a call, got 500 from PUT .* for zone-http_response_headers_transform; see/],
  ] as const)
    it(`says what to do after a ${status}, and goes on with the next up`, async () => {
      await system.say({ headers: { "X-Robots-Tag": `none-${status}` } });
      await lab.order({ method: "PUT", path: "rulesets", status });
      const failed = await project.up();
      assert.notEqual(failed.code, 0);
      assert.match(text(failed), message);
      await project.mustUp();
      assert.ok(await project.isSettled());
    });
});
