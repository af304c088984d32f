import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { connect, type ConnectionOptions } from "node:tls";
import { promisify } from "node:util";
import { tls } from "../../components/config/tls.ts";
import { sites } from "../support/edge-sites.ts";
import { TestEdge, visit } from "./edge-host.ts";

const run = promisify(execFile);
const host = "shop.test";
const suites = ["ECDHE-RSA-AES256-GCM-SHA384", "DHE-RSA-AES256-GCM-SHA384"];

describe("what the edge speaks", function () {
  this.timeout(120_000);
  let edge: TestEdge;

  before(async () => {
    edge = await TestEdge.start();
    await Promise.all([edge.mirror("shop-api"), edge.mirror("shop-half"), edge.breaker("shop-half")]);
    await edge.must(edge.runtime());
    const routes = [
      { path: "/", service: "api" },
      { path: "/half", service: "half" },
      { path: "/admin", service: "api", access: "operators" as const },
    ];
    await edge.must(edge.site(sites("shop", { api: 8000, half: 8000 }, [{ host, routes }]), "10 seconds"));
    const other = (name: string, settings: object) => ({
      ...sites(name, { api: 8000 }, [{ host: `${name}.test`, routes: [{ path: "/", service: "api" }] }]),
      tls: tls.parse(settings),
    });
    await edge.must(edge.site(other("newest", { minVersion: "1.3" }), "10 seconds"));
    await edge.must(edge.site(other("rsa", { suites, preferServer: true }), "10 seconds"));
    const place = join(edge.root, "live/certificates/rsa/main");
    const request = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=rsa.test", "-keyout", join(edge.root, "rsa.key")];
    await run("openssl", ["req", "-x509", ...request, "-out", join(edge.root, "rsa.pem")]);
    await copyFile(join(edge.root, "rsa.key"), join(place, "privkey.pem"));
    await copyFile(join(edge.root, "rsa.pem"), join(place, "fullchain.pem"));
    await edge.must(edge.site(other("rsa", { suites, preferServer: true }), "10 seconds"));
  });
  after(() => edge.stop());

  /** What a visitor and the edge agree on, or why they do not. */
  function agree(servername: string, options: ConnectionOptions = {}): Promise<string> {
    return new Promise((resolve) => {
      const to = { host: "127.0.0.1", port: edge.httpsPort, servername, rejectUnauthorized: false };
      const socket = connect({ ...to, ...options }, () => {
        const { type, size } = socket.getEphemeralKeyInfo() as { type?: string; size?: number };
        resolve([socket.getProtocol(), socket.getCipher().name, type === "DH" ? `DH ${size}` : ""].join(" ").trim());
        socket.end();
      }).on("error", (error: Error) => {
        resolve(/alert ([a-z ]+)|([A-Z]{5,})/.exec(error.message)?.slice(1).find(Boolean) ?? error.message);
      });
    });
  }
  const of12 = (ciphers: string): ConnectionOptions => ({ maxVersion: "TLSv1.2", ciphers });

  it("is TLS 1.2 and 1.3, with forward secrecy and authenticated encryption", async () => {
    assert.match(await agree(host), /^TLSv1\.3 /);
    assert.equal(await agree(host, of12("ECDHE-ECDSA-CHACHA20-POLY1305")), "TLSv1.2 ECDHE-ECDSA-CHACHA20-POLY1305");
    assert.match(await agree(host, of12("ECDHE-ECDSA-AES256-SHA384:AES256-GCM-SHA384")), /handshake failure/);
    const old = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    assert.match(await agree(host, old), /protocol version/);
  });

  it("is what a system says of its own sites, and of no others", async () => {
    assert.match(await agree("newest.test"), /^TLSv1\.3 /);
    assert.match(await agree("newest.test", of12("DEFAULT")), /protocol version/);
    assert.equal(await agree("rsa.test", of12(suites[1] ?? "")), "TLSv1.2 DHE-RSA-AES256-GCM-SHA384 DH 3072");
    assert.equal(await agree("rsa.test", of12(suites.toReversed().join(":"))), `TLSv1.2 ${suites[0] ?? ""}`);
    assert.match(await agree("rsa.test", of12("ECDHE-RSA-AES128-GCM-SHA256")), /handshake failure/);
  });

  it("is HTTP/2 for those that know it", async () => {
    const session = connectHttp2(`https://127.0.0.1:${edge.httpsPort}`, {
      servername: host,
      rejectUnauthorized: false,
    });
    try {
      const stream = session.request({ ":path": "/", ":authority": host });
      const status = await new Promise((resolve, reject) => {
        stream.on("response", (headers) => {
          resolve(headers[":status"]);
        });
        stream.on("error", reject);
        session.on("error", reject);
      });
      assert.deepEqual([session.alpnProtocol, status], ["h2", 200]);
    } finally {
      session.destroy();
    }
  });

  it("keeps connections to the applications", async () => {
    const connections = new Set<number>();
    for (let request = 0; request < 30; request++) {
      const { body } = await visit(edge, host, "/");
      connections.add((JSON.parse(body) as { connection: number }).connection);
    }
    assert.ok(connections.size < 15, `30 requests of as many visitors took ${connections.size} connections`);
  });

  it("asks the next task when one breaks off, unless that could do something twice", async () => {
    const statuses = async (method: string): Promise<number[]> => {
      const seen = [];
      for (let request = 0; request < 12; request++) seen.push((await visit(edge, host, "/half", { method })).status);
      return seen;
    };
    assert.deepEqual(new Set(await statuses("GET")), new Set([200]));
    assert.deepEqual(new Set(await statuses("POST")), new Set([200, 502]), "nobody knows whether it was done");
    await edge.logged(
      "both tasks of one request",
      (line) =>
        line.includes('"method":"GET","scheme":"https","host":"shop.test","path":"/half"') &&
        /"upstream":"[\d.:]+, [\d.:]+","upstreamStatus":"502, 200"/.test(line),
    );
  });

  it("answers what is for operators to nobody else", async () => {
    const { status, headers } = await visit(edge, host, "/admin/users");
    assert.deepEqual([status, headers["x-frame-options"]], [403, "DENY"]);
  });

  it("is spoken by a process that may do nothing else", async () => {
    const [serving] = await edge.generations();
    const { HostConfig, Mounts } = await edge.container(`-${serving?.number ?? 0}`).inspect();
    assert.deepEqual([HostConfig.ReadonlyRootfs, HostConfig.CapDrop, HostConfig.Privileged], [true, ["ALL"], false]);
    assert.deepEqual(HostConfig.SecurityOpt, ["no-new-privileges"]);
    // Some versions of Docker write the prefix that all of them have.
    const added = (HostConfig.CapAdd as string[]).map((one) => one.replace("CAP_", ""));
    assert.deepEqual(added.toSorted(), ["CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"]);
    assert.deepEqual(
      Mounts.map(({ Destination, RW }) => `${Destination} ${RW}`).toSorted(),
      ["/var/cache/nginx true", "/var/lib/berth/edge false"],
      "neither Docker's socket nor a file of the host that it could change",
    );
    const { stdout } = await run("docker", ["top", `${edge.name}-${serving?.number ?? 0}`, "-eo", "pid,uid,args"]);
    const workers = stdout.split("\n").filter((line) => line.includes("worker process"));
    assert.ok(workers.length > 0 && workers.every((line) => /^ *\d+ +101 /.test(line)), stdout);
  });
});
