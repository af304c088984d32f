import assert from "node:assert/strict";
import { problemsOf } from "../support/problems.ts";
import { sampleConfig, sampleImages, sampleRaw } from "../support/sample-config.ts";

/* A store that the system hosts and that somebody else runs in one stack. */

const { postgres, ...images } = sampleImages;
const managed = {
  "berth:managed": JSON.stringify({ postgres: { urlSecret: "DATABASE_URL", maxConnections: 500 } }),
  "berth:images": JSON.stringify(images),
  "palmistry:DATABASE_URL": "postgresql+asyncpg://u:p@pooler.provider.test:6543/postgres",
};

describe("a store that is managed in a stack", () => {
  it("is one there, with a URL that is supplied instead of composed", () => {
    const { system, supplied } = sampleConfig(managed);
    assert.deepEqual(system.data.postgres, {
      kind: "managed",
      server: "postgres",
      urlSecret: "DATABASE_URL",
      tls: true,
      maxConnections: 500,
    });
    assert.deepEqual(system.secrets.DATABASE_URL, { kind: "supplied", optional: false });
    assert.deepEqual(Object.keys(supplied), ["DATABASE_URL", "OPENAI_API_KEY"]);
    assert.equal(sampleConfig().system.data.postgres!.kind, "postgres");
  });

  const cases: [title: string, changes: Record<string, unknown>, problems: string[]][] = [
    [
      "its URL is not supplied",
      { "palmistry:DATABASE_URL": undefined },
      ["palmistry:DATABASE_URL: is missing; run `pulumi config set --secret palmistry:DATABASE_URL --stack local`"],
    ],
    [
      "its image is still pinned",
      { "berth:images": JSON.stringify({ postgres, ...images }) },
      [
        "berth:images.postgres: is used by nothing in the system; remove it, or use api, frontend, worker, redis or edge",
      ],
    ],
    [
      "its URL is another secret's",
      { "berth:managed": JSON.stringify({ postgres: { urlSecret: "DB_URL" } }), "palmistry:DATABASE_URL": undefined },
      [
        'berth:managed.postgres.urlSecret: is given to no service, got "DB_URL"; name the secret that holds the store\'s URL',
        "palmistry:DB_URL: is missing; run `pulumi config set --secret palmistry:DB_URL --stack local`",
      ],
    ],
    [
      "it takes fewer connections than are opened",
      { "berth:services": JSON.stringify({ postgres: { maxConnections: 100 } }) },
      [
        "berth:services.postgres.maxConnections: is less than the tasks of a rollout may open, got 100 for migrate 1 × 1 + " +
          "api 6 × 50 + worker 2 × 40 = 381; write 381 or more, or give services fewer replicas or smaller pools",
      ],
    ],
    [
      "it is given the size of a server that is not there",
      { "berth:services": JSON.stringify({ postgres: { resources: { memory: "2 GB" } } }) },
      ["berth:services.postgres.resources: does not apply to a managed; remove it"],
    ],
  ];
  for (const [title, changes, problems] of cases) {
    it(`is refused when ${title}`, () => {
      assert.deepEqual(problemsOf(sampleRaw({ ...managed, ...changes })), problems);
    });
  }

  it("is refused when the system has no such store, or no mapping is given", () => {
    const changes = { "berth:managed": JSON.stringify({ mysql: { urlSecret: "DATABASE_URL" }, redis: "yes" }) };
    assert.deepEqual(problemsOf(sampleRaw(changes)), [
      "berth:managed.mysql: is not a store of the system; use postgres or redis",
      'berth:managed.redis: is not a mapping, got "yes"; write keys and values',
    ]);
  });
});
