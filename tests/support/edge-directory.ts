import { execFile } from "node:child_process";
import { cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { originPullCa } from "../../components/cloudflare/origin-pull-ca.ts";
import { renderNginx } from "../../components/edge/nginx.render.ts";
import { clientCaPath } from "../../components/edge/site.render.ts";

const run = promisify(execFile);

/** Where the reviewed sites are. */
export const goldenSites = join(import.meta.dirname, "../golden/edge/sites");

/** A configuration directory as the host's program makes it, of a system's reviewed sites. */
export async function composeEdge(target: string, name: string): Promise<void> {
  const text = await readFile(join(goldenSites, `${name}.conf`), "utf8");
  const [, system = "none"] = /the sites of ([a-z0-9-]+)\./.exec(text) ?? [];
  const files = {
    ...renderNginx({ drain: "1 hour", proxyRanges: ["192.0.2.0/24", "2001:db8::/32"] }),
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
  await cp(join(goldenSites, `${name}.conf`), join(target, "sites", `${system}.conf`));
  if (text.includes(clientCaPath(system))) await writeFile(join(target, clientCaPath(system)), originPullCa());
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=placeholder"];
  const certificates = [...text.matchAll(/ssl_certificate (certificates\/.+)\/fullchain\.pem;/g)];
  for (const place of new Set(certificates.map(([, place = ""]) => join(target, place)))) {
    await mkdir(place, { recursive: true });
    await run("openssl", ["req", "-x509", ...key, "-keyout", "privkey.pem", "-out", "fullchain.pem"], { cwd: place });
  }
}
