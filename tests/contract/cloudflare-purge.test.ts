import assert from "node:assert/strict";
import { purgeCache, type PurgeRequest } from "../../components/cloudflare/purge-cache.ts";
import { permissions } from "../../lab/cloudflare/tokens.ts";
import { TestCloudflare } from "../support/cloudflare.ts";

describe("purging Cloudflare's cache", () => {
  let lab: TestCloudflare;
  const waits: number[] = [];
  const lines: string[] = [];
  let callTimeout: number;

  const run = (more: Partial<PurgeRequest> = {}, token = lab.token): Promise<void> =>
    purgeCache(
      { zoneId: lab.zone.id, prefixes: ["palmistry.test/assets"], image: "web:1@sha256:0", ...more },
      {
        ...{ url: lab.baseUrl, token, log: (line) => lines.push(line) },
        // Time goes by as long as is waited.
        now: () => waits.reduce((sum, each) => sum + each, 0),
        wait: (milliseconds) => Promise.resolve(waits.push(milliseconds)),
        callTimeout,
      },
    );
  const purges = async () => {
    const response = await fetch(`${lab.origin}/lab/purges`);
    return ((await response.json()) as { purges: { prefixes: string[] }[] }).purges.map(({ prefixes }) => prefixes);
  };
  const refused = async (promise: Promise<void>): Promise<string> => {
    const failure: unknown = await promise.then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(failure instanceof Error);
    return failure.message;
  };

  beforeEach(async () => {
    lab = await TestCloudflare.start();
    waits.length = 0;
    lines.length = 0;
    callTimeout = 10_000;
  });
  afterEach(() => lab.stop());

  it("names hosts and paths, as many in a call as the API takes", async () => {
    const prefixes = Array.from({ length: 130 }, (_, index) => `palmistry.test/${index}`);
    await run({ prefixes });
    assert.deepEqual(
      (await purges()).map(({ length }) => length),
      [100, 30],
    );
  });

  it("waits for its turn as long as the API asks", async () => {
    await lab.order({ path: "purge_cache", status: 429, retryAfter: 12, times: 3 });
    await run();
    assert.deepEqual(waits, [12_000, 12_000, 12_000]);
    assert.equal((await purges()).length, 1);
    assert.match(lines[0] ?? "", /takes no purge now \(429\); trying again in 12 s/);
  });

  it("gives up after five minutes and says so", async () => {
    await lab.order({ path: "purge_cache", status: 429, retryAfter: 60, times: 10 });
    assert.match(
      await refused(run()),
      /^Cloudflare: has had too many calls of this account, got 429 from POST zones\//,
    );
    assert.equal(waits.length, 5);
  });

  it("tries an API that fails or hangs up again", async () => {
    await lab.order({ path: "purge_cache", status: 500 });
    await lab.order({ path: "purge_cache", hangUp: true });
    await run();
    assert.deepEqual(waits, [2_000, 4_000]);
    assert.equal((await purges()).length, 1);
  });

  it("waits for no answer for ever, and says so in the end", async function () {
    this.timeout(20_000);
    callTimeout = 150;
    await lab.order({ path: "purge_cache", stallMs: 1_000, status: 504 });
    await run();
    assert.equal((await purges()).length, 1);
    assert.match(lines[0] ?? "", /takes no purge now \(.*timeout\); trying again in 2 s/);
    await lab.order({ path: "purge_cache", stallMs: 1_000, status: 504, times: 30 });
    assert.match(
      await refused(run()),
      /^Cloudflare: did not carry out a call, got no answer from POST zones\/\w+\/purge_cache for the cache of palmistry\.test\/assets; /,
    );
  });

  it("says that the token lacks its permission, never the token", async () => {
    await lab.tokens(`${lab.token} ${permissions.filter((each) => each !== "Cache Purge").join(", ")}`);
    const message = await refused(run());
    assert.match(
      message,
      /^cloudflare:apiToken: lacks the permission "Cache Purge" on this zone, got 403 from POST zones\//,
    );
    assert.match(message, /in the dashboard: Zone, Cache Purge\)/);
    assert.match(message, /The release runs; visitors may get older files/);
    assert.ok(!message.includes(lab.token));
    assert.deepEqual(waits, []);
  });

  it("repeats the API's words for what it does not take", async () => {
    const message = await refused(run({ prefixes: ["elsewhere.test/assets"] }));
    assert.match(
      message,
      /did not purge the cache of elsewhere\.test\/assets, got 400\nCloudflare said: .*is not in this zone/,
    );
  });
});
