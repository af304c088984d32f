import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { renderCleanImages } from "../../components/fleet/upkeep.render.ts";
import { keptReleases } from "../../components/release/record.ts";
import { checkScript } from "../support/shell.ts";

const day = 24 * 60 * 60;
const digest = (number: number): string => `sha256:${String(number).padStart(64, "0")}`;

/** An image of a host. */
interface Image {
  readonly id: string;
  readonly repository?: string;
  readonly digest?: string;
  readonly tag?: string;
  /** Days since the program has seen it in use; it has not seen it before by default. */
  readonly idle?: number;
  readonly used?: boolean;
}

describe("the clean-up of images on a host", () => {
  let directory: string;
  const at = (name: string): string => join(directory, name);
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "berth-images-"));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  const reference = ({ id, repository = "<none>", digest = "<none>", tag = "<none>" }: Image): string =>
    digest !== "<none>" ? `${repository}@${digest}` : tag !== "<none>" ? `${repository}:${tag}` : id;

  /** Runs it with a `docker` that has these images, on a disk that is so full; what it has removed. */
  function clean(images: readonly Image[], full = 40): string[] {
    const now = Math.floor(Date.now() / 1000);
    const known = images.filter(({ idle }) => idle !== undefined);
    writeFileSync(at("images-used"), known.map((one) => `${now - (one.idle ?? 0) * day} ${reference(one)}\n`).join(""));
    const listed = images.map(({ id, repository, digest, tag }) =>
      [id, repository ?? "<none>", tag ?? "<none>", digest ?? "<none>"].join(" "),
    );
    writeFileSync(at("listed"), listed.map((line) => `${line}\n`).join(""));
    const used = images.filter(({ used }) => used === true);
    writeFileSync(at("ids"), used.map(({ id }) => `${id}\n`).join(""));
    const docker = `#!/bin/sh
case "$1 $2" in
  'ps --all') cat ${at("ids")} ;;
  'inspect --format') shift 3; printf '%s\\n' "$@" ;;
  'image ls') cat ${at("listed")} ;;
  'image rm') echo "$3" >>${at("removed")} ;;
  'info --format') echo / ;;
esac
`;
    writeFileSync(at("docker"), docker, { mode: 0o755 });
    writeFileSync(at("df"), `#!/bin/sh\nprintf 'Use%%\\n ${full}%%\\n'\n`, { mode: 0o755 });
    writeFileSync(at("removed"), "");
    const script = renderCleanImages()
      .replace(/^PATH=/m, `PATH=${directory}:`)
      .replace("/var/lib/berth/images-used", at("images-used"));
    const { status, stderr } = spawnSync("sh", ["-s"], { input: script, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    return readFileSync(at("removed"), "utf8").split("\n").filter(Boolean).toSorted();
  }

  const release = (number: number, idle: number | undefined, used = false): Image => ({
    id: `sha256:image${number}`,
    repository: "registry.test/api",
    digest: digest(number),
    ...(idle !== undefined && { idle }),
    used,
  });

  it("is a script that shellcheck has nothing to say about", () => {
    checkScript(renderCleanImages());
  });

  it("keeps the images of all releases that can be gone back to, and removes what is older", () => {
    const releases = Array.from({ length: keptReleases + 2 }, (_, age) => release(age, 10 * age, age === 0));
    assert.deepEqual(
      clean(releases),
      [keptReleases, keptReleases + 1].map((age) => `registry.test/api@${digest(age)}`),
    );
  });

  it("keeps three of each repository on a disk that fills up, and what was in use a day ago", () => {
    const releases = Array.from({ length: 6 }, (_, age) => release(age, 10 * age, age === 0));
    assert.deepEqual(
      clean(releases, 85),
      [3, 4, 5].map((age) => `registry.test/api@${digest(age)}`),
    );
    assert.deepEqual(
      clean(
        [0, 0.1, 0.2, 0.3, 0.4].map((idle, number) => release(number, idle)),
        85,
      ),
      [],
    );
  });

  it("never removes what a container uses, however old", () => {
    assert.deepEqual(
      clean(
        Array.from({ length: 40 }, (_, number) => release(number, 400 - number, true)),
        99,
      ),
      [],
    );
  });

  it("counts an image that it has not seen before as used now, and remembers it", () => {
    const stray: Image = { id: "sha256:stray" };
    assert.deepEqual(clean([stray]), []);
    assert.match(readFileSync(at("images-used"), "utf8"), /^\d+ sha256:stray$/m);
  });

  it("removes what no repository names any more after a week", () => {
    assert.deepEqual(
      clean([
        { id: "sha256:old", idle: 8 },
        { id: "sha256:young", idle: 6 },
      ]),
      ["sha256:old"],
    );
  });

  it("forgets images that are gone", () => {
    clean([release(1, 3)]);
    assert.deepEqual(clean([]), []);
    assert.equal(readFileSync(at("images-used"), "utf8"), "");
  });
});
