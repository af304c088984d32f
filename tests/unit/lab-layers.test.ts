import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keep, offer } from "../../lab/layers.ts";

/* What runs in a lab's registry, here in a directory. */

const [large, small, other] = ["a1".repeat(32), "b2".repeat(32), "c3".repeat(32)];
const megabyte = 1024 * 1024;

describe("layers that labs hand on", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "berth-layers-"));
    mkdirSync(join(root, "layers"));
    mkdirSync(join(root, "one"));
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  const v2 = (registry: string, ...path: string[]) => join(root, registry, "docker/registry/v2", ...path);
  const blob = (registry: string, digest: string) => v2(registry, "blobs/sha256", digest.slice(0, 2), digest);
  const put = (registry: string, digest: string, bytes: number) => {
    mkdirSync(blob(registry, digest), { recursive: true });
    writeFileSync(join(blob(registry, digest), "data"), Buffer.alloc(bytes, digest));
  };
  const here = (script: string, registry: string) =>
    script.replaceAll("/var/lib/registry", join(root, registry)).replaceAll("/layers", join(root, "layers"));
  const run = (script: string, registry: string, ...args: string[]) => {
    const { status, stderr } = spawnSync("sh", ["-c", here(script, registry), "sh", ...args], { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  };
  const kept = () => readdirSync(join(root, "layers"));

  it("are the large ones, and stay what they were", () => {
    run(keep, "one");
    put("one", large, 6 * megabyte);
    put("one", small, megabyte);
    run(keep, "one");
    assert.deepEqual(kept(), [large]);
    run(keep, "one");
    assert.deepEqual(kept(), [large]);
    assert.deepEqual(readFileSync(join(root, "layers", large)), readFileSync(join(blob("one", large), "data")));
  });

  it("are in each repository of another registry, without being copied", () => {
    put("one", large, 6 * megabyte);
    run(keep, "one");
    mkdirSync(join(root, "two"));
    run(offer, "two", "api", "team/web");
    assert.ok(lstatSync(join(blob("two", large), "data")).isSymbolicLink());
    assert.equal(readFileSync(join(blob("two", large), "data")).length, 6 * megabyte);
    for (const repository of ["api", "team/web"]) {
      const link = v2("two", "repositories", repository, "_layers/sha256", large, "link");
      assert.equal(readFileSync(link, "utf8"), `sha256:${large}`);
    }
    put("two", other, 6 * megabyte);
    run(keep, "two");
    assert.deepEqual(kept(), [large, other], "a link is not taken for a layer");
  });

  it("leave what a registry has of its own, and stay when it loses it", () => {
    put("one", large, 6 * megabyte);
    run(keep, "one");
    run(offer, "one", "api");
    assert.ok(lstatSync(join(blob("one", large), "data")).isFile());
    mkdirSync(join(root, "two"));
    run(offer, "two", "api");
    rmSync(blob("two", large), { recursive: true });
    assert.deepEqual(kept(), [large]);
    run(offer, "two", "api");
    assert.equal(readFileSync(join(blob("two", large), "data")).length, 6 * megabyte);
  });

  it("come whole from labs that have the same ones at the same time", async () => {
    const registries = ["one", "two", "three", "four"];
    for (const registry of registries) put(registry, large, 40 * megabyte);
    const ends = registries.map(async (registry) => once(spawn("sh", ["-c", here(keep, registry)]), "exit"));
    assert.deepEqual(
      (await Promise.all(ends)).map(([code]: unknown[]) => code),
      [0, 0, 0, 0],
    );
    assert.deepEqual(kept(), [large], "and nothing beside it");
    assert.equal(readFileSync(join(root, "layers", large)).length, 40 * megabyte);
  });

  it("are rid of what an interruption left, but not of what another lab is at", () => {
    put("one", large, 6 * megabyte);
    for (const name of [".new-left", ".new-under"]) writeFileSync(join(root, "layers", name), "");
    const twoHoursAgo = Date.now() / 1000 - 7200;
    utimesSync(join(root, "layers/.new-left"), twoHoursAgo, twoHoursAgo);
    run(keep, "one");
    assert.deepEqual(kept().sort(), [".new-under", large]);
  });

  it("are none for the first lab", () => {
    run(offer, "one", "api");
    assert.deepEqual(readdirSync(join(root, "one")), []);
  });
});
