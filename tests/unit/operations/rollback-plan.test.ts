import assert from "node:assert/strict";
import type { Release } from "../../../operations/release-list.ts";
import { planRollback, type Goal, type Present } from "../../../operations/rollback.plan.ts";

const pin = (name: string, tag: string) =>
  `registry.test/palmistry-${name}:${tag}@sha256:${tag.slice(0, 1).repeat(64)}`;

function release(number: number, tags: Record<string, string>, rest: Partial<Release> = {}): Release {
  const images = Object.fromEntries(Object.entries(tags).map(([name, tag]) => [name, pin(name, tag)]));
  return {
    number,
    at: "2026-01-01T00:00:00Z",
    by: "Ann",
    images,
    settings: { services: {}, limits: {} },
    system: "s1",
    ...rest,
  };
}

const first = release(1, { api: "1.0", web: "1.0" });
const second = release(2, { api: "2.0", web: "1.0" });
const third = release(3, { api: "3.0", web: "3.0" });
const asIn = ({ images, settings }: Present): Present => ({ images, settings });

function plan(releases: Release[], present: Present, goal: Goal = {}) {
  return planRollback(releases, present, goal);
}

describe("planning a rollback", () => {
  it("goes to the release before the live one and writes only what differs", () => {
    const { target, changes, refs } = plan([first, second], asIn(second));
    assert.equal(target.number, 1);
    assert.deepEqual(changes, [{ path: ["images", "api"], value: pin("api", "1.0") }]);
    assert.deepEqual(refs, [pin("api", "1.0"), pin("web", "1.0")]);
  });

  it("goes to the live release when the stack file asks for something that never went live", () => {
    const failed = { ...asIn(second), images: { ...second.images, api: pin("api", "9.0") } };
    const { target, explanation } = plan([first, second], failed);
    assert.equal(target.number, 2);
    assert.deepEqual(explanation, ["back to release 2, the last one that went live", "  api 9.0 → 2.0"]);
  });

  it("passes over earlier releases with the same pins and settings", () => {
    const again = release(3, { api: "2.0", web: "1.0" }, { system: "s2" });
    assert.equal(plan([first, second, again], asIn(again)).target.number, 1);
  });

  it("finds a release by number", () => {
    assert.equal(plan([first, second, third], asIn(third), { number: 1 }).target.number, 1);
  });

  it("finds the newest release that ran a tag", () => {
    const { target } = plan([first, second, third], asIn(third), { tag: { name: "web", tag: "1.0" } });
    assert.equal(target.number, 2);
  });

  it("brings back settings, and says which", () => {
    const big = { services: { api: { replicas: 5 } }, limits: {} };
    const scaled = release(2, { api: "1.0", web: "1.0" }, { settings: big });
    const { changes, explanation } = plan([first, scaled], {
      images: scaled.images,
      settings: { services: big.services },
    });
    assert.deepEqual(changes, [{ path: ["services"], value: {} }]);
    assert.deepEqual(explanation, ["from release 2 back to release 1", "  berth:services as it was then"]);
  });

  it("removes a setting that the earlier release did not know", () => {
    const later = release(2, { api: "1.0", web: "1.0" }, { settings: { services: {}, limits: {}, extra: { a: 1 } } });
    const { changes } = plan([first, later], { images: later.images, settings: { extra: { a: 1 } } });
    assert.deepEqual(changes, [{ path: ["extra"], value: undefined }]);
  });

  it("takes a missing setting for an empty one", () => {
    assert.deepEqual(plan([first, second], { images: second.images, settings: {} }).changes.length, 1);
  });

  it("keeps the pin of an image that the earlier release did not have, and leaves out one that nothing uses", () => {
    const before = release(1, { api: "1.0", old: "1.0" });
    const after = release(2, { api: "2.0", fresh: "1.0" });
    const { changes, refs, explanation } = plan([before, after], asIn(after));
    assert.deepEqual(changes, [{ path: ["images", "api"], value: pin("api", "1.0") }]);
    assert.deepEqual(refs, [pin("api", "1.0"), pin("fresh", "1.0")]);
    assert.deepEqual(explanation.slice(2), [
      "  fresh keeps its pin: release 1 did not have it",
      "  old stays out: nothing uses it any more",
    ]);
  });

  it("says that the system's definition does not go back", () => {
    const before = release(1, { api: "1.0", web: "1.0" }, { system: "s0" });
    assert.match(plan([before, second], asIn(second)).explanation.at(-1) ?? "", /the system's definition has changed/);
  });

  const refusals: [string, Release[], Present, Goal, string][] = [
    [
      "without a release",
      [],
      asIn(first),
      {},
      "rollback: nothing was released yet; `pulumi up` makes the first release",
    ],
    [
      "with one release only",
      [first],
      asIn(first),
      {},
      "rollback: there is only one release, number 1; there is nothing to go back to",
    ],
    ["an unknown number", [first, second], asIn(second), { number: 7 }, "rollback: there is no release 7; use 1 to 2"],
    [
      "a tag that was never released",
      [first, second],
      asIn(second),
      { tag: { name: "api", tag: "9.9" } },
      'rollback: no release had api at tag "9.9"; released were 1.0, 2.0',
    ],
    [
      "a name that was never released",
      [first, second],
      asIn(second),
      { tag: { name: "nope", tag: "1.0" } },
      'rollback: no release had nope at tag "1.0"; names are api, web',
    ],
    [
      "what is live already",
      [first, second],
      asIn(second),
      { number: 2 },
      "rollback: release 2 is live and the stack file asks for exactly it; nothing to do, `pulumi up` verifies it",
    ],
    [
      "an earlier release with the same content as the live one",
      [first, second, release(3, { api: "1.0", web: "1.0" })],
      asIn(first),
      { number: 1 },
      "rollback: release 1 has the pins and settings of what is live and the stack file asks for exactly it; " +
        "nothing to do, `pulumi up` verifies it",
    ],
    [
      "when only the system's definition differs",
      [first, release(2, { api: "1.0", web: "1.0" }, { system: "s2" })],
      asIn(first),
      {},
      "rollback: every earlier release had the same pins and settings, only the system's definition was another; " +
        "go back to it with git and run `pulumi up`",
    ],
  ];
  for (const [what, releases, present, goal, message] of refusals) {
    it(`rejects ${what}`, () => {
      assert.throws(() => plan(releases, present, goal), { name: "OperatorError", message });
    });
  }
});
