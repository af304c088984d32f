import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { renderFiles } from "../../components/edge/edge.render.ts";
import { renderNginx } from "../../components/edge/nginx.render.ts";
import { clientCaPath, renderSites, type ClientCertificates } from "../../components/edge/site.render.ts";
import { clientCertificate, type ClientCertificate } from "../support/client-certificate.ts";
import { sites } from "../support/edge-sites.ts";
import { TestEdge, visitPlain, type Outcome } from "./edge-host.ts";

const drain = "10 seconds";
const [shop, open] = ["shop.test", "open.shop.test"];

describe("an edge that Cloudflare shows a client certificate to", function () {
  this.timeout(120_000);
  let edge: TestEdge;
  let own: ClientCertificate;
  let foreign: ClientCertificate;

  before(async () => {
    edge = await TestEdge.start();
    [own, foreign] = [clientCertificate(), clientCertificate()];
    await edge.task("shop-api");
    await edge.must(edge.runtime());
  });
  after(() => edge.stop());

  function serve(asked: "presented" | "demanded" | "not", ca = own.ca): Promise<Outcome> {
    const routes = [{ path: "/", service: "api" }];
    const pulls: ClientCertificates = { demanded: asked === "demanded", sites: [shop], ca };
    const input = {
      ...sites("shop", { api: 8000 }, [
        { host: shop, routes },
        { host: open, routes },
      ]),
      ...(asked !== "not" && { clientCertificates: pulls }),
    };
    const files = {
      ...renderNginx({ drain, proxyRanges: [] }),
      "sites/shop.conf": renderSites(input),
      ...(asked !== "not" && { [clientCaPath("shop")]: ca }),
    };
    return edge.edge(["site", "shop", `main=${shop},${open}`], renderFiles(files));
  }

  /** Status, and the header that every answer has. */
  function visit(
    host: string,
    shown?: ClientCertificate,
    options: { servername?: string; session?: Buffer; keep?: (session: Buffer) => void } = {},
  ): Promise<{ status: number; security: unknown; body: string }> {
    const { servername = host, session, keep } = options;
    return new Promise((resolve, reject) => {
      const to = { host: "127.0.0.1", port: edge.httpsPort, servername, rejectUnauthorized: false, agent: false };
      const identity = shown && { cert: shown.certificate, key: shown.key };
      const asked = request({ ...to, ...identity, ...(session && { session }), path: "/version", headers: { host } });
      asked
        .on("socket", (socket) => socket.on("session", (given: Buffer) => keep?.(given)))
        .on("response", (answer) => {
          let body = "";
          answer.setEncoding("utf8").on("data", (text: string) => (body += text));
          answer.on("end", () => {
            const security = answer.headers["x-content-type-options"];
            resolve({ status: answer.statusCode ?? 0, security, body });
          });
        })
        .on("error", reject)
        .end();
    });
  }

  const status = async (...args: Parameters<typeof visit>) => (await visit(...args)).status;
  const noted = (word: string) => edge.logged(word, (line) => line.includes(`"clientCertificate":"${word}`));

  it("refuses to demand what it has not asked for yet, and shuts nobody out", async () => {
    await edge.must(serve("not"));
    const { code, output } = await serve("demanded");
    assert.notEqual(code, 0);
    assert.match(output, /demand a client certificate that they have not asked for yet; write stage: presented/);
    assert.equal(await status(shop), 200);
  });

  it("answers everybody while it only asks, and notes who showed it", async () => {
    await edge.must(serve("presented"));
    assert.equal(await status(shop), 200);
    await noted("NONE");
    assert.equal(await status(shop, own), 200);
    await noted("SUCCESS");
    assert.equal(await status(shop, foreign), 200);
    await noted("FAILED");
  });

  it("answers only who shows it once it is demanded, site by site", async () => {
    await edge.must(serve("demanded"));
    assert.equal((await visit(shop, own)).body, "1.0.0");
    const refused = await visit(shop);
    assert.deepEqual([refused.status, refused.security], [400, "nosniff"]);
    assert.match(refused.body, /No required SSL certificate was sent/);
    assert.equal(await status(shop, foreign), 400);
    assert.equal(await status(open), 200);
  });

  it("lets nobody in by the name, or the session, of a site that asks for nothing", async () => {
    assert.equal(await status(shop, undefined, { servername: open }), 421);
    let session: Buffer | undefined;
    assert.equal(await status(open, undefined, { keep: (given) => (session ??= given) }), 200);
    assert.ok(session, "the edge gave a session");
    assert.equal(await status(shop, undefined, { session }), 400);
  });

  it("answers an authority's challenge without it, and redirects to https", async () => {
    const folder = join(edge.root, "webroot/.well-known/acme-challenge");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "token"), "answer");
    const answer = await visitPlain(edge, shop, "/.well-known/acme-challenge/token");
    assert.deepEqual([answer.status, answer.body], [200, "answer"]);
    assert.equal((await visitPlain(edge, shop, "/")).status, 301);
  });

  it("demands at once on a host that served nobody before", async () => {
    await edge.must(edge.edge(["remove", "shop"]));
    await edge.must(serve("demanded"));
    assert.deepEqual([await status(shop), await status(shop, own)], [400, 200]);
  });

  it("takes the next CA beside the one before, then alone", async () => {
    await edge.must(serve("demanded", own.ca + foreign.ca));
    assert.deepEqual([await status(shop, own), await status(shop, foreign)], [200, 200]);
    await edge.must(serve("demanded", foreign.ca));
    assert.deepEqual([await status(shop, own), await status(shop, foreign)], [400, 200]);
  });

  it("asks nobody any more when that is over", async () => {
    await edge.must(serve("not"));
    assert.equal(await status(shop), 200);
    await assert.rejects(edge.file(`live/${clientCaPath("shop")}`), /ENOENT/);
  });
});
