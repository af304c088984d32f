import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { originPullCa } from "../../components/cloudflare/origin-pull-ca.ts";
import { renderNginx } from "../../components/edge/nginx.render.ts";
import { clientCaPath } from "../../components/edge/site.render.ts";
import { ensureEdgeImages } from "./edge-host.ts";

const run = promisify(execFile);
const golden = join(import.meta.dirname, "../golden/edge/sites");

describe("the reviewed configurations", function () {
  this.timeout(180_000);
  let directory: string;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "edgetest-golden-"));
  });
  after(() => rm(directory, { recursive: true }));

  it("are accepted by nginx without a warning", async () => {
    const cases = (await readdir(golden)).map((file) => file.replace(/\.conf$/, ""));
    assert.ok(cases.length > 5);
    for (const name of cases) await compose(join(directory, name), name);
    const { edge } = await ensureEdgeImages("edgetest");
    const script = 'for case in "$@"; do echo "$case"; nginx -t -q -c "/cases/$case/nginx.conf" 2>&1; done';
    const mounts = ["--volume", `${directory}:/cases:ro`, "--tmpfs", "/run/nginx", "--network", "none", "--rm"];
    const { stdout } = await run("docker", ["run", ...mounts, edge, "sh", "-c", script, "sh", ...cases]);
    assert.deepEqual(stdout.trim().split("\n"), cases);
  });

  /** A configuration directory as the host's program makes it. */
  async function compose(target: string, name: string): Promise<void> {
    const text = await readFile(join(golden, `${name}.conf`), "utf8");
    const [, system = "none"] = /the sites of ([a-z0-9-]+)\./.exec(text) ?? [];
    const files = {
      ...renderNginx({ drain: "1 hour" }),
      "generation.conf": 'map "" $configuration { default none; }\n',
      "port.conf": "listen 127.0.0.1:9000;\n",
    };
    for (const [path, text] of Object.entries(files)) {
      const place = join(target, path.replace(/^listen\/open\//, "open/"));
      await mkdir(dirname(place), { recursive: true });
      await writeFile(place, text);
    }
    await rm(join(target, "listen"), { recursive: true });
    await symlink("open", join(target, "listen"));
    await mkdir(join(target, "sites"));
    await cp(join(golden, `${name}.conf`), join(target, "sites", `${system}.conf`));
    if (text.includes(clientCaPath(system))) await writeFile(join(target, clientCaPath(system)), originPullCa());
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=placeholder"];
    const certificates = [...text.matchAll(/ssl_certificate (certificates\/.+)\/fullchain\.pem;/g)];
    for (const place of new Set(certificates.map(([, place = ""]) => join(target, place)))) {
      await mkdir(place, { recursive: true });
      await run("openssl", ["req", "-x509", ...key, "-keyout", "privkey.pem", "-out", "fullchain.pem"], { cwd: place });
    }
  }
});
