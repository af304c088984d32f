import assert from "node:assert/strict";
import { join } from "node:path";
import type { Fault } from "../../lab/cloudflare/faults.ts";
import type { Stored } from "../../lab/cloudflare/store.ts";
import { permissions } from "../../lab/cloudflare/tokens.ts";
import { stackFile } from "../support/cloudflare-stack.ts";
import { TestCloudflare } from "../support/cloudflare.ts";
import { PulumiProject, type Result } from "../support/pulumi.ts";

/* What leaves the stack file, and the stack that leaves, while Cloudflare refuses to delete it. */

const root = join(import.meta.dirname, "../..");

const program = `
const { configOf } = await import(${JSON.stringify(join(root, "tests/support/systems.ts"))});
const from = (file) => import(${JSON.stringify(join(root, "components/cloudflare/"))} + file);
const { FurtherRecords } = await from("further-records.ts");
const { ZoneRules } = await from("zone-rules.ts");
const config = await configOf("fitness-crm", "production", settings);
new FurtherRecords("records", { config });
new ZoneRules("zone", { config });
`;

const all = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
const name = (label: string) => `${label}.palmistry.test`;
const resourceOf = (label: string) => `records-txt-${label}.palmistry.test`;
const call = String.raw`DELETE zones/\w+/dns_records/\w+ for `;

/** What happens to the deletion of one record: which one, what Cloudflare answers, what berth makes of it. */
const refusals: readonly (readonly [what: string, record: string, fault: Fault, message: RegExp])[] = [
  [
    "a token that nobody knows any more",
    "one",
    { status: 401 },
    new RegExp(`cloudflare:apiToken: is not a token that Cloudflare knows, or it has expired, got 401 from ${call}`),
  ],
  [
    "too many calls",
    "two",
    { status: 429 },
    new RegExp(`Cloudflare: has had too many calls of this account, got 429 from ${call}\\S+; wait five minutes`),
  ],
  [
    "an outage",
    "three",
    { status: 500 },
    new RegExp(`Cloudflare: did not carry out a call, got 500 from ${call}\\S+; see https://www.cloudflarestatus.com`),
  ],
  [
    "a time-out",
    "four",
    { status: 504, stallMs: 200 },
    new RegExp(`Cloudflare: did not carry out a call, got 504 from ${call}\\S+; see https://www.cloudflarestatus.com`),
  ],
];

describe("deletions that Cloudflare refuses, on the real engine", function () {
  this.timeout(240_000);
  let lab: TestCloudflare;
  let project: PulumiProject;
  let left = all;

  const text = ({ stdout, stderr }: Result) => stdout + stderr;
  const say = (records: readonly string[], changes: object = {}) => {
    left = [...records];
    const further = records.map((label) => ({ type: "TXT", name: `${label}.\${domain}`, text: label }));
    const zone = { loadBalancer: undefined, records: further, ...changes };
    return project.settings(stackFile(lab.zone.id, zone, { "cloudflare:apiToken": lab.token }));
  };
  const there = async () => (await lab.list()).map((record) => record.name);
  const rulesets = async () =>
    ((await lab.call("GET", `/zones/${lab.zone.id}/rulesets`)).result as Stored[]).map(({ name }) => name);
  const lacking = (permission: string) =>
    lab.tokens(`${lab.token} ${permissions.filter((each) => each !== permission).join(", ")}`);
  const mustFail = async (...args: string[]): Promise<string> => {
    const failed = await project.run(...args, "--yes", "--skip-preview");
    assert.notEqual(failed.code, 0, text(failed));
    assert.ok(!text(failed).includes(lab.token));
    return text(failed);
  };

  before(async () => {
    lab = await TestCloudflare.start();
    await lab.restart("pro");
    const env = { CLOUDFLARE_BASE_URL: lab.baseUrl, CLOUDFLARE_API_TOKEN: lab.token };
    project = await PulumiProject.create({ program, dependencies: ["@pulumi/cloudflare"], env });
    await lab.create({ type: "A", name: "intranet.palmistry.test", content: "192.0.2.99" });
    await say(all);
    await project.mustUp();
  });
  after(async () => {
    await lab.tokens(lab.token);
    await project.remove();
    const stillThere = await there();
    await lab.stop();
    assert.deepEqual(stillThere, ["intranet.palmistry.test"]);
  });

  for (const [what, label, fault, message] of refusals)
    it(`say what is wrong, keep the record in the state, and follow with the next up: ${what}`, async () => {
      await say(left.filter((each) => each !== label));
      await lab.order({ method: "DELETE", path: "/dns_records/", ...fault });
      const said = await mustFail("up");
      assert.match(said, message);
      assert.ok(said.includes(`for ${resourceOf(label)};`), said);
      assert.ok(await project.resource(resourceOf(label)), "it is not forgotten");
      assert.ok((await there()).includes(name(label)));
      await project.mustUp();
      assert.equal(await project.resource(resourceOf(label)), undefined);
      assert.ok(!(await there()).includes(name(label)));
    });

  it("leave nothing to do once they are done", async () => {
    assert.ok(await project.isSettled());
  });

  it("name the permission that the token lacks, for a record and for a ruleset, and leave the others to go", async () => {
    await say(
      left.filter((each) => each !== "five"),
      { headers: undefined },
    );
    await lacking("DNS Write");
    const record = await mustFail("up", "--continue-on-error");
    assert.match(
      record,
      new RegExp(
        `lacks the permission "DNS Write" on this zone, got 403 from ${call}\\S+; .*\\(.*: Zone, DNS, Edit\\)`,
      ),
    );
    assert.ok(await project.resource(resourceOf("five")));
    assert.equal(await project.resource("zone-http_response_headers_transform"), undefined);
    await lab.tokens(lab.token);
    await say(left);
    await project.mustUp();

    await say(left, { headers: undefined });
    await lacking("Zone Transform Rules Write");
    const ruleset = await mustFail("up");
    assert.match(
      ruleset,
      /lacks the permission "Zone Transform Rules Write" on this zone, got 403 from DELETE zones\/\w+\/rulesets\/\w+ for zone-http_response_headers_transform; .*Zone, Transform Rules, Edit/,
    );
    assert.ok(await project.resource("zone-http_response_headers_transform"));
    const before = (await rulesets()).length;
    await lab.tokens(lab.token);
    await project.mustUp();
    assert.equal((await rulesets()).length, before - 1);
    assert.ok(await project.isSettled());
  });

  it("are tried again by the provider where the connection broke, and nobody hears of it", async () => {
    await say(
      left.filter((each) => each !== "six"),
      { headers: undefined },
    );
    await lab.order({ method: "DELETE", path: "/dns_records/", hangUp: true });
    await project.mustUp();
    assert.ok(!(await there()).includes(name("six")));
  });

  it("say how to forget what somebody else has deleted", async () => {
    const record = (await lab.list()).find((each) => each.name === name("seven"));
    await lab.records("DELETE", `/${record?.id ?? ""}`);
    await say(
      left.filter((each) => each !== "seven"),
      { headers: undefined },
    );
    assert.match(
      await mustFail("up"),
      new RegExp(`Cloudflare: does not have it any more, got 404 from ${call}\\S+; run pulumi refresh, then pulumi up`),
    );
    const { code, stdout } = await project.run("refresh", "--yes", "--skip-preview");
    assert.equal(code, 0, stdout);
    await project.mustUp();
    assert.equal(await project.resource(resourceOf("seven")), undefined);
  });

  describe("by destroy", () => {
    it("say without the program what Cloudflare said, and with it what is to be done", async () => {
      await lacking("DNS Write");
      const plain = await mustFail("destroy");
      assert.match(plain, /DELETE ".*\/dns_records\/\w+": 403 Forbidden .*Authentication error/);
      assert.doesNotMatch(plain, /lacks the permission/);
      assert.ok(await project.resource(resourceOf("eight")), "it is not forgotten");

      const telling = await mustFail("destroy", "--run-program");
      assert.match(telling, new RegExp(`lacks the permission "DNS Write" on this zone, got 403 from ${call}`));
      assert.ok(await project.resource(resourceOf("eight")));
      assert.ok((await there()).includes(name("eight")));

      await lab.tokens(lab.token);
      const { code, stdout } = await project.run("destroy", "--yes", "--skip-preview");
      assert.equal(code, 0, stdout);
      assert.equal(await project.resource(resourceOf("eight")), undefined);
    });
  });
});
