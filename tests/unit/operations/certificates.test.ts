import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer as createTcpServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { makeAuthority, readRequest, signRequest } from "../../../lab/cloudflare/origin-ca.ts";
import { clientCertificateEnds, failedAttempts, siteCertificate } from "../../../operations/certificates.ts";
import { clientCertificate } from "../../support/client-certificate.ts";

describe("reading a site's certificate from the edge", () => {
  let directory: string;
  const servers: Server[] = [];
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "berth-certificates-"));
    const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    openssl("req", "-x509", ...curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "3");
    openssl(
      "req",
      ...curve,
      "-keyout",
      "site.key",
      "-out",
      "site.csr",
      "-subj",
      "/CN=a.test",
      "-addext",
      "subjectAltName=DNS:a.test,DNS:*.b.test",
    );
    openssl(
      "x509",
      "-req",
      "-in",
      "site.csr",
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-copy_extensions",
      "copyall",
      "-days",
      "2",
      "-out",
      "site.pem",
    );
  });
  after(() => {
    for (const server of servers) server.close();
    rmSync(directory, { recursive: true });
  });

  const read = (name: string) => readFileSync(join(directory, name), "utf8");
  async function listen(server: Server): Promise<number> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }
  const ask = async (server: Server, site: string) =>
    siteCertificate(connect(await listen(server), "127.0.0.1"), site, 1000);

  it("tells issuer, end and names of an issued one", async () => {
    const known = { issuer: "Test CA", placeholder: false, matches: true, originCa: false };
    const options = { cert: read("site.pem"), key: read("site.key") };
    const certificate = await ask(createServer(options), "a.test");
    const lifetime = Date.parse(certificate.expires) - Date.parse(certificate.issued);
    const { issuer, placeholder, matches, originCa } = certificate;
    assert.deepEqual({ issuer, placeholder, matches, originCa }, known);
    assert.equal(lifetime, 2 * 24 * 60 * 60 * 1000);
    assert.equal((await ask(createServer(options), "x.b.test")).matches, true);
    assert.equal((await ask(createServer(options), "x.y.b.test")).matches, false);
  });

  it("knows one of Cloudflare's Origin CA", async () => {
    const authority = makeAuthority("ec");
    const csr = readRequest(read("site.csr"));
    const cert = signRequest(authority, csr, ["a.test"], 7).pem;
    const { originCa, placeholder } = await ask(createServer({ cert, key: read("site.key") }), "a.test");
    assert.deepEqual([originCa, placeholder], [true, false]);
  });

  it("knows a self-signed one for a placeholder", async () => {
    const certificate = await ask(createServer({ cert: read("ca.pem"), key: read("ca.key") }), "a.test");
    assert.deepEqual([certificate.placeholder, certificate.matches], [true, false]);
  });

  it("fails when nothing there speaks TLS, and when nobody listens", async () => {
    await assert.rejects(
      ask(
        createTcpServer((socket) => socket.end("no TLS here\n")),
        "a.test",
      ),
      Error,
    );
    await assert.rejects(siteCertificate(connect(1, "127.0.0.1"), "a.test", 1000), /ECONNREFUSED/);
  });

  it("gives up on an edge that does not answer", async () => {
    const silent = createTcpServer(() => undefined);
    const port = await listen(silent);
    await assert.rejects(siteCertificate(connect(port, "127.0.0.1"), "a.test", 200), /no answer within 0.2 s/);
  });
});

describe("reading what Cloudflare is known by from a stack file", () => {
  const own = clientCertificate();
  const days = (end: { expires: string }) => Math.round((Date.parse(end.expires) - Date.now()) / 86_400_000);

  it("finds the ends of the certificate, and of the CA that lasts longest", () => {
    const ca = clientCertificate(30).ca + own.ca;
    const ends = clientCertificateEnds({ originPulls: { stage: "demanded", certificate: own.certificate, ca } });
    assert.deepEqual(
      ends.map((end) => [end.what, days(end)]),
      [
        ["berth:cloudflare.originPulls.certificate", 2],
        ["berth:cloudflare.originPulls.ca", 30],
      ],
    );
  });

  it("finds the end of the CA that Cloudflare publishes, where its certificate is asked for", () => {
    assert.deepEqual(clientCertificateEnds({ originPulls: { stage: "presented" } }), [
      { what: "the CA of the certificate that Cloudflare shows", expires: "2029-11-01T17:00:00.000Z" },
    ]);
    assert.deepEqual(clientCertificateEnds({ proxied: true }), []);
    assert.deepEqual(clientCertificateEnds("none"), []);
  });
});

describe("reading what came of certificates from an edge host's metrics", () => {
  const line = (name: string, system: string, certificate: string, value: number) =>
    `berth_certificate_${name}{system="${system}",certificate="${certificate}"} ${value}\n`;

  it("tells which of a system's last attempts failed, and when", () => {
    const text = [
      "# TYPE berth_certificate_last_attempt_failed gauge\n",
      line("last_attempt_timestamp_seconds", "shop", "main", 1_800_000_000),
      line("last_attempt_timestamp_seconds", "shop", "wild", 1_800_000_001),
      line("last_attempt_failed", "shop", "main", 1),
      line("last_attempt_failed", "shop", "wild", 0),
      line("last_attempt_failed", "blog", "main", 1),
    ].join("");
    assert.deepEqual(failedAttempts(text, "shop"), [{ certificate: "main", at: "2027-01-15T08:00:00.000Z" }]);
    assert.deepEqual(failedAttempts("", "shop"), []);
  });
});
