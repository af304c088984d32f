import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { renderNginx } from "../../components/edge/nginx.render.ts";
import { renderSites } from "../../components/edge/site.render.ts";
import { TestEdge } from "../lab/edge-host.ts";
import { composeEdge, goldenSites } from "../support/edge-directory.ts";
import { sites } from "../support/edge-sites.ts";
import { gixy, observatory, testssl, type Target } from "../support/scanners.ts";
import { systemNames } from "../support/systems.ts";

const run = promisify(execFile);
const nginxVersion = "1.30.6";
/** Where a system's first site has a page, if not at its root. */
const pages: Readonly<Record<string, string>> = { "my-saas-chat": "/api/auth" };
/** Systems whose pages have scripts in themselves: their content policies allow that, and it is held against them. */
const inline = ["palmistry", "personal-assistant"];

describe("the edge of every system, as scanners see it", function () {
  this.timeout(1_800_000);
  let edge: TestEdge;
  let directory: string;
  const files = (name: string): string => join(directory, name);

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "edgetest-scanners-"));
    edge = await TestEdge.start();
    await edge.mirror("app");
    await edge.must(edge.runtime());
    const name = ["-subj", "/O=berth/CN=berth test CA"];
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", files("ca.key")];
    await run("openssl", ["req", "-x509", ...key, ...name, "-days", "365", "-out", files("ca.pem")]);
  });
  after(async () => {
    await edge.stop();
    await rm(directory, { recursive: true });
  });

  /** A system's reviewed sites with certificates of an authority; every service is the mirror. */
  async function serve(system: string): Promise<Target> {
    return show(system, await readFile(join(goldenSites, `${system}.conf`), "utf8"));
  }

  async function show(system: string, sitesFile: string): Promise<Target> {
    const text = sitesFile.replaceAll(/server tasks\.\S+ resolve/g, "server tasks.app:8000 resolve");
    const hosts = [
      ...new Set([...text.matchAll(/^ +server_name ([^;]+);$/gm)].flatMap(([, names = ""]) => names.split(" "))),
    ];
    const [host = ""] = hosts;
    const common = renderNginx({ drain: "10 seconds", proxyRanges: [] });
    await edge.must(edge.put(system, hosts, { ...common, [`sites/${system}.conf`]: text }));
    const place = join(edge.root, "live/certificates", system, "main");
    await issue(system === "personal-assistant" ? ["rsa:4096"] : ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], hosts);
    await copyFile(files("site.key"), join(place, "privkey.pem"));
    await writeFile(
      join(place, "fullchain.pem"),
      `${await readFile(files("site.pem"), "utf8")}${await readFile(files("ca.pem"), "utf8")}`,
    );
    await edge.must(edge.put(system, hosts, { ...common, [`sites/${system}.conf`]: text }));
    const { NetworkSettings } = await edge.container().inspect();
    const address = NetworkSettings.Networks[edge.network]?.IPAddress ?? "";
    return { host, path: pages[system] ?? "/", address, network: edge.network, ca: files("ca.pem") };
  }

  /** As an authority would: for these names, for 90 days, with a list of what it revoked. */
  async function issue(key: readonly string[], hosts: readonly string[]): Promise<void> {
    const extensions = [
      `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(",")}`,
      "crlDistributionPoints=URI:http://ca.test/crl",
      ...["keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth", "basicConstraints=critical,CA:FALSE"],
    ];
    await writeFile(files("extensions"), `${extensions.join("\n")}\n`);
    const request = [
      "req",
      "-newkey",
      ...key,
      "-nodes",
      "-subj",
      `/CN=${hosts[0] ?? ""}`,
      "-keyout",
      files("site.key"),
    ];
    await run("openssl", [...request, "-out", files("site.csr")]);
    const authority = ["-CA", files("ca.pem"), "-CAkey", files("ca.key"), "-CAcreateserial", "-days", "90"];
    const what = ["-in", files("site.csr"), "-extfile", files("extensions"), "-out", files("site.pem")];
    await run("openssl", ["x509", "-req", ...authority, ...what]);
  }

  for (const system of systemNames) {
    it(`${system}: gixy finds nothing in its configuration`, async () => {
      await composeEdge(files(system), system);
      assert.deepEqual(await gixy(join(files(system), "nginx.conf"), nginxVersion), []);
    });
  }

  for (const system of systemNames) {
    it(`${system}: the HTTP Observatory gives its headers the best grade, but for scripts in pages`, async () => {
      const { scan, tests } = await observatory(await serve(system));
      const failed = Object.entries(tests).filter(([, { pass }]) => !pass);
      const given = failed.map(([name, { result }]) => `${name}: ${result}`);
      const expected = inline.includes(system)
        ? ["B+", ["content-security-policy: csp-implemented-with-unsafe-inline"]]
        : ["A+", []];
      assert.deepEqual([scan.grade, given], expected);
    });
  }

  it("the HTTP Observatory gives the best grade to an application that sends a policy with nonces itself", async () => {
    const routes = [{ path: "/", service: "app" }];
    const site = { host: "nonces.test", security: { csp: {} }, routes };
    const target = await show("nonces", renderSites(sites("nonces", { app: 8000 }, [site])));
    const sources = "default-src 'none'; script-src 'nonce-cmFuZG9tMTIzNDU2Nzg5MA' 'strict-dynamic'; style-src 'self'";
    const policy = `${sources}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`;
    const path = `/?header=${encodeURIComponent(`Content-Security-Policy:${policy}`)}`;
    const { scan, tests } = await observatory({ ...target, path });
    assert.deepEqual([scan.grade, tests["content-security-policy"]?.pass], ["A+", true]);
  });

  // The defaults, and a system that says its suites, of which some have DHE.
  for (const system of ["palmistry", "personal-assistant"]) {
    it(`${system}: testssl.sh finds nothing of medium severity or worse, and gives the best grade`, async () => {
      const found = await testssl(await serve(system));
      assert.deepEqual(
        found.filter(({ severity }) => ["MEDIUM", "HIGH", "CRITICAL"].includes(severity)),
        [],
      );
      assert.equal(found.find(({ id }) => id === "overall_grade")?.finding, "A+");
    });
  }
});
