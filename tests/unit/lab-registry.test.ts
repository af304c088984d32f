import assert from "node:assert/strict";
import { join } from "node:path";
import { labImages, type Image } from "../../lab/images.ts";
import { waves } from "../../lab/registry.ts";
import { labSystem, systemNames } from "../../lab/systems.ts";

const root = join(import.meta.dirname, "../..");
const bases = (image: Image): Image[] => (image.kind === "base" ? [] : [image.base, ...bases(image.base)]);

describe("the order of pushes", () => {
  for (const name of systemNames(root)) {
    it(`has each base of ${name} compressed once, and what is left at the same time`, async () => {
      const { published } = labImages(root, [await labSystem(root, name)]);
      const found = waves(published);
      assert.deepEqual(new Set(found.flat()), new Set(published));
      assert.equal(found.flat().length, published.length);

      const there = new Set<Image["tag"]>();
      for (const wave of found) {
        const missing = wave.flatMap(({ image }) => bases(image).filter(({ tag }) => !there.has(tag)));
        const tags = missing.map(({ tag }) => tag);
        assert.equal(new Set(tags).size, tags.length, `twice at a time: ${tags.join(", ")}`);
        for (const tag of tags) there.add(tag);
      }
      // As few as there are images on top of each other: the first brings a base, the second what stands on it.
      assert.ok(found.length <= 3, `${found.length} waves`);
    });
  }

  it("is none for nothing", () => {
    assert.deepEqual(waves([]), []);
  });
});
