import assert from "node:assert/strict";
import { changeText, failedTriesFrom, imageChanges, releasesFrom, version } from "../../../operations/release-list.ts";
import { joinLog } from "../../../operations/verbs/releases.ts";

const digest = (character: string) => `sha256:${character.repeat(64)}`;
const api = (tag: string, character = tag.slice(0, 1)) => `registry.test/api:${tag}@${digest(character)}`;

function record(number: number, at: string, tag: string) {
  return { number, at, by: "Ann <ann@test>", images: { api: api(tag) }, settings: {}, system: "s" };
}

describe("releases of a stack", () => {
  it("are none before the first one", () => {
    assert.deepEqual(releasesFrom({}), []);
  });

  it("come oldest first, however the output lists them", () => {
    const [a, b] = [record(1, "2026-01-01T10:00:00Z", "1.0"), record(2, "2026-01-02T10:00:00Z", "2.0")];
    assert.deepEqual(releasesFrom({ releases: [b, a] }), [a, b]);
  });

  it("rejects an output that is something else", () => {
    assert.throws(() => releasesFrom({ releases: [{ number: "1" }] }), {
      name: "OperatorError",
      message: /is not a list of releases/,
    });
  });
});

describe("failed tries", () => {
  const entry = (result: string, kind = "update") => ({
    kind,
    result,
    startTime: "2026-01-03T10:00:00.000Z",
    environment: { "git.author": "Bob" },
    config: { "berth:images": { value: JSON.stringify({ api: api("3.0") }), secret: false } },
  });

  it("are the updates that failed, with their author and pins", () => {
    const history = [entry("failed"), entry("succeeded"), entry("failed", "destroy")];
    assert.deepEqual(failedTriesFrom(history), [
      { at: "2026-01-03T10:00:00.000Z", by: "Bob", images: { api: api("3.0") } },
    ]);
  });

  it("are listed without pins when these were secret or missing", () => {
    assert.deepEqual(failedTriesFrom([{ ...entry("failed"), config: {} }])[0]?.images, undefined);
  });
});

describe("the release log", () => {
  const releases = [record(1, "2026-01-01T10:00:00Z", "1.0"), record(2, "2026-01-04T10:00:00Z", "2.0")];
  const failed = [{ at: "2026-01-03T10:00:00.000Z", by: "Bob", images: { api: api("3.0") } }];

  it("shows releases and failed tries newest first, each with what it changed", () => {
    assert.deepEqual(
      joinLog(releases, failed).map(({ number, result, by, changes }) => [number, result, by, ...changes]),
      [
        [2, "live", "Ann <ann@test>", "api 1.0 → 2.0"],
        [null, "failed", "Bob", "api 1.0 → 3.0"],
        [1, "released", "Ann <ann@test>", "api 1.0"],
      ],
    );
  });
});

describe("describing an image change", () => {
  it("names the tags, or the digest of a pin without tag", () => {
    assert.equal(version(api("1.0")), "1.0");
    assert.equal(version(`registry.test/api@${digest("a")}`), "aaaaaaaaaaaa");
  });

  it("shows the digests when the tag stayed the same", () => {
    const [change] = imageChanges({ api: api("1.0", "a") }, { api: api("1.0", "b") });
    assert.equal(changeText(change!), "api 1.0 (aaaaaaaaaaaa → bbbbbbbbbbbb)");
  });

  it("names what was removed", () => {
    assert.deepEqual(imageChanges({ api: api("1.0") }, {}).map(changeText), ["api removed"]);
  });
});
