import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { composeEdge, goldenSites } from "../support/edge-directory.ts";
import { ensureEdgeImages } from "./edge-host.ts";

const run = promisify(execFile);

describe("the reviewed configurations", function () {
  this.timeout(180_000);
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "edgetest-golden-"));
  });
  after(() => rm(directory, { recursive: true }));

  it("are accepted by nginx without a warning", async () => {
    const cases = (await readdir(goldenSites)).map((file) => file.replace(/\.conf$/, ""));
    assert.ok(cases.length > 5);
    for (const name of cases) await composeEdge(join(directory, name), name);
    const { edge } = await ensureEdgeImages("edgetest");
    const script = 'for case in "$@"; do echo "$case"; nginx -t -q -c "/cases/$case/nginx.conf" 2>&1; done';
    const mounts = ["--volume", `${directory}:/cases:ro`, "--tmpfs", "/run/nginx", "--network", "none", "--rm"];
    const { stdout } = await run("docker", ["run", ...mounts, edge, "sh", "-c", script, "sh", ...cases]);
    assert.deepEqual(stdout.trim().split("\n"), cases);
  });
});
