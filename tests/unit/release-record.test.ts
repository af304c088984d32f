import assert from "node:assert/strict";
import { keptReleases, record, type Release } from "../../components/release/record.ts";

const content = { images: { api: "api:1.0.0@sha256:00" }, settings: {}, system: "s1" };
const now = { at: "2026-01-02T03:04:05.000Z", by: "Ann <ann@example.com>" };

describe("the list of releases", () => {
  it("begins with number 1", () => {
    assert.deepEqual(record([], content, now), [{ number: 1, ...now, ...content }]);
  });

  it("adds a release when a pin changes", () => {
    const next = { ...content, images: { api: "api:1.1.0@sha256:11" } };
    assert.deepEqual(
      record(record([], content, now), next, now).map(({ number }) => number),
      [1, 2],
    );
  });

  it("adds a release when settings or the system's definition change", () => {
    const first = record([], content, now);
    assert.equal(record(first, { ...content, settings: { services: { api: { replicas: 4 } } } }, now).length, 2);
    assert.equal(record(first, { ...content, system: "s2" }, now).length, 2);
  });

  it("does not count the same content twice", () => {
    const first = record([], content, now);
    assert.deepEqual(record(first, content, { at: "later", by: "Bob" }), first);
  });

  it("counts a return to earlier content as a release of its own", () => {
    const other = { ...content, system: "s2" };
    const back = record(record(record([], content, now), other, now), content, now);
    assert.deepEqual(
      back.map(({ number, system }) => [number, system]),
      [
        [1, "s1"],
        [2, "s2"],
        [3, "s1"],
      ],
    );
  });

  it("forgets the oldest and goes on counting", () => {
    let releases: Release[] = [];
    for (let i = 0; i < keptReleases + 5; i++) releases = record(releases, { ...content, system: `s${i}` }, now);
    assert.equal(releases.length, keptReleases);
    assert.equal(releases.at(-1)?.number, keptReleases + 5);
  });
});
