import assert from "node:assert/strict";
import { join } from "node:path";
import { bootstrapCommand, catalog, labImages, type Image } from "../../lab/images.ts";
import { labSystem } from "../../lab/systems.ts";

const root = join(import.meta.dirname, "../..");
const palmistry = await labSystem(root, "palmistry");
const images = labImages(root, [palmistry]);
const used = images.published.map(({ repository }) => repository);
const others = catalog(root).filter(({ repository }) => !used.includes(repository));
const all: Image[] = [
  images.base,
  images.host,
  images.prepared,
  images.parts,
  ...[...images.published, ...others].map((each) => each.image),
];
const named = (repository: string, version: string) => {
  const found = [...images.published, ...others].find(
    (each) => each.repository === repository && each.version === version,
  );
  assert.ok(found && found.image.kind === "built", `${repository}:${version}`);
  return found.image;
};

describe("images of the lab", () => {
  it("are tagged by what goes into them: the same again for the same content, never one tag for two images", () => {
    const tags = all.map(({ tag }) => tag);
    assert.deepEqual(
      labImages(root, [palmistry]).published.map(({ image }) => image.tag),
      images.published.map(({ image }) => image.tag),
    );
    assert.equal(new Set(tags).size, tags.length);
  });

  it("hold the application as JavaScript that imports nothing else than JavaScript", () => {
    const { files } = named("palmistry-api", "1.0.0");
    const own = Object.entries(files).filter(([path]) => /^[\w-]+\.mjs$/.test(path));
    assert.ok(own.some(([path]) => path === "main.mjs"));
    for (const [path, text] of own) {
      assert.doesNotMatch(text, /\.ts"/, path);
      for (const [, target = ""] of text.matchAll(/(?:from |import\()"\.\/([\w-]+\.mjs)"/g))
        assert.ok(target in files, `${path} imports ${target}`);
    }
  });

  it("offer every application at a good, a better, a broken and a crashing version", () => {
    for (const application of ["palmistry-api", "palmistry-frontend", "palmistry-worker"]) {
      const versions = images.published.filter(({ repository }) => repository === application);
      assert.deepEqual(
        versions.map(({ version }) => version),
        ["1.0.0", "1.1.0", "1.2.0-broken", "1.3.0-crash"],
      );
    }
  });

  it("differ between versions by build arguments alone, so that they share their layers", () => {
    const [one, other] = [named("palmistry-api", "1.0.0"), named("palmistry-api", "1.1.0")];
    assert.deepEqual(one.files, other.files);
    assert.deepEqual({ ...one.args, VERSION: "1.1.0" }, other.args);
  });

  it("have what no package brings as a program of their own", () => {
    const mongodb = named("mongodb", "ferretdb-1.24");
    assert.deepEqual(
      mongodb.programs.map(({ name, version }) => [name, version]),
      [["ferretdb", "v1.24.2"]],
    );
    assert.match(mongodb.files["Dockerfile"] ?? "", /^COPY ferretdb /m);
    for (const each of all)
      assert.ok(each === mongodb || each.kind === "base" || each.programs.length === 0, each.name);
  });

  it("accept a sid index that is past its date, and no other", () => {
    assert.ok(bootstrapCommand("sid", "-").includes('--aptopt=Acquire::Check-Valid-Until "false"'));
    assert.ok(!bootstrapCommand("bookworm", "-").some((each) => each.includes("Valid-Until")));
  });
});
