import assert from "node:assert/strict";
import { cloudflareRanges } from "../../components/cloudflare/ranges.ts";
import { TestCloudflare } from "../support/cloudflare.ts";

interface Listed {
  readonly ipv4_cidrs: string[];
  readonly ipv6_cidrs: string[];
  readonly etag: string;
}

describe("the lab's Cloudflare: its networks", () => {
  let lab: TestCloudflare;
  before(async () => {
    lab = await TestCloudflare.start();
  });
  after(() => lab.stop());

  const ask = async (): Promise<Listed> => {
    const answer = await fetch(`${lab.baseUrl}/ips`);
    const { success, errors, result } = (await answer.json()) as { success: boolean; errors: []; result: Listed };
    assert.deepEqual([answer.status, success, errors], [200, true, []]);
    return result;
  };

  it("are told to everybody, in two lists with a digest", async () => {
    const { ipv4_cidrs, ipv6_cidrs, etag } = await ask();
    assert.deepEqual([...ipv4_cidrs, ...ipv6_cidrs], cloudflareRanges);
    assert.match(etag, /^[0-9a-f]{32}$/);
    assert.equal((await fetch(`${lab.baseUrl}/ips`, { method: "POST" })).status, 405);
  });

  it("are others when somebody has ordered so", async () => {
    const before = await ask();
    const list = { ipv4_cidrs: ["192.0.2.0/24"], ipv6_cidrs: ["2001:db8::/32"] };
    const order = (body: unknown) => fetch(`${lab.origin}/lab/ranges`, { method: "PUT", body: JSON.stringify(body) });
    assert.equal((await order({ ipv4_cidrs: "all" })).status, 400);
    assert.equal((await order(list)).status, 200);
    const { etag, ...told } = await ask();
    assert.deepEqual(told, list);
    assert.notEqual(etag, before.etag);
  });
});
