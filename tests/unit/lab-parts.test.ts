import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureCa, ensureServerCertificate } from "../../lab/parts/ca.ts";
import { pebbleRoot, renderPebble } from "../../lab/parts/pebble.ts";
import { golden } from "../support/golden.ts";

describe("the lab's CA", () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), "berth-ca-"))));
  afterEach(() => rm(directory, { recursive: true }));
  const read = async (path: string) => new X509Certificate(await readFile(path));

  it("is made once, with a key that only its owner can read", async () => {
    const first = await ensureCa(directory);
    const certificate = await readFile(first.certificate, "utf8");
    assert.equal((await read(first.certificate)).ca, true);
    assert.equal((await stat(first.privateKey)).mode & 0o777, 0o600);
    assert.deepEqual(await ensureCa(directory), first);
    assert.equal(await readFile(first.certificate, "utf8"), certificate);
  });

  it("vouches for a server under all its names, and for nothing else", async () => {
    const ca = await read((await ensureCa(directory)).certificate);
    const { certificate } = await ensureServerCertificate(directory, "registry", ["registry.test", "127.0.0.1"]);
    const leaf = await read(certificate);
    assert.ok(leaf.verify(ca.publicKey) && leaf.checkIssued(ca));
    assert.equal(leaf.checkHost("registry.test"), "registry.test");
    assert.equal(leaf.checkIP("127.0.0.1"), "127.0.0.1");
    assert.equal(leaf.checkHost("pebble"), undefined);
    assert.equal(leaf.ca, false);
    assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  });

  it("keeps a server's certificate until its names, its key or the CA change", async () => {
    const serial = async (...names: string[]) =>
      (await read((await ensureServerCertificate(directory, "pebble", names)).certificate)).serialNumber;
    const first = await serial("pebble", "127.0.0.1");
    assert.equal(await serial("127.0.0.1", "pebble"), first);
    const renamed = await serial("pebble");
    assert.notEqual(renamed, first);
    await rm(join(directory, "pebble.key"));
    const rekeyed = await serial("pebble");
    assert.notEqual(rekeyed, renamed);
    await rm(join(directory, "ca.key"));
    assert.notEqual(await serial("pebble"), rekeyed);
  });

  it("repairs a pair of which an interruption left one old half, and leaves no scratch files", async () => {
    const pair = await ensureServerCertificate(directory, "pebble", ["pebble"]);
    const other = await ensureServerCertificate(directory, "registry", ["registry"]);
    await writeFile(pair.privateKey, await readFile(other.privateKey));
    await ensureServerCertificate(directory, "pebble", ["pebble"]);
    const names = ["ca.key", "ca.pem", "pebble.key", "pebble.pem", "registry.key", "registry.pem"];
    assert.deepEqual((await readdir(directory)).sort(), names);
    assert.notEqual(await readFile(pair.privateKey, "utf8"), await readFile(other.privateKey, "utf8"));
  });

  it("makes one CA for servers that are prepared at the same time", async () => {
    const made = await Promise.all(["a", "b"].map((name) => ensureServerCertificate(directory, name, [name])));
    const ca = await read((await ensureCa(directory)).certificate);
    for (const { certificate } of made) assert.ok((await read(certificate)).verify(ca.publicKey));
  });

  it("says what is missing when openssl is not there", async () => {
    const path = process.env["PATH"];
    process.env["PATH"] = directory;
    try {
      await assert.rejects(ensureCa(directory), /openssl: not found on PATH; install it/);
    } finally {
      process.env["PATH"] = path;
    }
  });
});

describe("Pebble in the lab", () => {
  it("renders what Debian's Pebble is started with", () => {
    const { files, ...rest } = renderPebble({ dnsServer: "dns:53" });
    golden("lab-parts/pebble.json", files["/etc/pebble/config.json"] ?? "");
    golden("lab-parts/pebble.part.json", JSON.stringify({ ...rest, files: Object.keys(files) }, undefined, 2) + "\n");
  });

  it("issues for as long as it is told", () => {
    const config = renderPebble({ dnsServer: "dns:53", validitySeconds: 120 }).files["/etc/pebble/config.json"] ?? "";
    assert.match(config, /"certificateValidityPeriod": 120\b/);
  });

  describe("root", () => {
    let directory: string;
    let server: Server;
    let ca: string;
    let url: string;
    let answer: [status: number, body: string];
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "berth-pebble-"));
      const pair = await ensureServerCertificate(directory, "pebble", ["127.0.0.1"]);
      const [cert, key] = await Promise.all([readFile(pair.certificate), readFile(pair.privateKey)]);
      ca = await readFile(join(directory, "ca.pem"), "utf8");
      server = createServer({ cert, key }, (request, response) => {
        response.writeHead(request.url === "/roots/0" ? answer[0] : 404).end(answer[1]);
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    after(async () => {
      server.close();
      await rm(directory, { recursive: true });
    });

    it("is fetched over a connection that the lab's CA vouches for", async () => {
      answer = [200, ca];
      assert.equal(await pebbleRoot(url, ca), ca);
      const elsewhere = await mkdtemp(join(tmpdir(), "berth-ca-"));
      try {
        const stranger = await readFile((await ensureCa(elsewhere)).certificate, "utf8");
        await assert.rejects(pebbleRoot(url, stranger), /certificate/);
      } finally {
        await rm(elsewhere, { recursive: true });
      }
    });

    it("rejects an answer that is no certificate", async () => {
      answer = [404, "page not found"];
      await assert.rejects(pebbleRoot(url, ca), /expected a certificate, got status 404; is this Pebble's/);
    });
  });
});
