import assert from "node:assert/strict";
import { renderNginx } from "../../components/edge/nginx.render.ts";
import { sites } from "../support/edge-sites.ts";
import { until } from "../support/until.ts";
import { TestEdge, visit, visitPlain } from "./edge-host.ts";

const drain = "10 seconds";

describe("the life of an edge", function () {
  this.timeout(120_000);
  let edge: TestEdge;
  let untouched: string[];

  const shop = () => {
    const routes = [
      { path: "/", service: "api" },
      { path: "/later", service: "later" },
    ];
    return sites("shop", { api: 8000, later: 8000 }, [{ host: "shop.test", routes }]);
  };
  const blog = (host: string) => sites("blog", { web: 8000 }, [{ host, routes: [{ path: "/", service: "web" }] }]);

  before(async () => {
    edge = await TestEdge.start();
    untouched = await edge.objects();
    await edge.task("shop-api");
  });
  after(() => edge.stop());

  it("starts with a placeholder certificate and with services that are not there yet", async () => {
    await edge.must(edge.runtime());
    await edge.must(edge.site(shop(), drain));
    assert.equal((await visit(edge, "shop.test", "/version")).body, "1.0.0");
    assert.equal((await visit(edge, "shop.test", "/later/nothing")).status, 502);

    await edge.task("shop-later");
    const answer = await until("the late service is found", 5_000, async () => {
      const { status, body } = await visit(edge, "shop.test", "/later/nothing");
      return status === 502 ? undefined : body;
    });
    assert.match(answer, /^\/later\/nothing: not found/, "the application answers, prefix kept");
  });

  it("gives what owns the ports, and nginx, no rights but those that nginx needs, and starts both again", async () => {
    const number = (await edge.file("current")).trim();
    const kept = { "": null, [`-${number}`]: ["CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"] };
    for (const [suffix, capabilities] of Object.entries(kept)) {
      const { HostConfig } = await edge.container(suffix).inspect();
      const capAdd = HostConfig.CapAdd as readonly string[] | null;
      const added = capAdd?.map((name) => name.replace(/^CAP_/, "")) ?? null;
      assert.deepEqual(
        [HostConfig.ReadonlyRootfs, HostConfig.CapDrop, added, HostConfig.SecurityOpt, HostConfig.RestartPolicy?.Name],
        [true, ["ALL"], capabilities, ["no-new-privileges"], "unless-stopped"],
      );
    }
  });

  it("changes nothing when nothing changed", async () => {
    const found = [await edge.generations(), await edge.links()];
    assert.deepEqual(await edge.runtime(), { code: 0, output: "" });
    assert.deepEqual(await edge.site(shop(), drain), { code: 0, output: "" });
    assert.deepEqual([await edge.generations(), await edge.links()], found);
  });

  it("waits for all upstreams before a new generation takes visitors, though not for ever", async () => {
    const routes = [
      { path: "/", service: "api" },
      { path: "/none", service: "none" },
    ];
    await edge.must(edge.site(sites("shop", { api: 8000, none: 8000 }, [{ host: "shop.test", routes }]), drain));
    const upgrade = await edge.runtime(await edge.otherImage("warm"));
    assert.equal(upgrade.code, 0, upgrade.output);
    assert.match(upgrade.output, /shop-none does not answer yet/);
    assert.doesNotMatch(upgrade.output, /shop-api/);
    assert.equal((await visit(edge, "shop.test", "/version")).body, "1.0.0");
    await edge.must(edge.runtime());
    await edge.must(edge.site(shop(), drain));
  });

  it("serves the sites of a second system, refuses a host name that is taken", async () => {
    await edge.task("blog-web");
    const taken = await edge.site(blog("shop.test"), drain);
    assert.notEqual(taken.code, 0);
    assert.match(taken.output, /conflicting server name "shop.test"/);
    assert.match(taken.output, /another system on this host has a site of that name/);

    await edge.must(edge.site(blog("blog.test"), drain));
    assert.equal((await visit(edge, "blog.test", "/version")).body, "1.0.0");
    assert.equal((await visit(edge, "shop.test", "/version")).body, "1.0.0");
  });

  it("puts the configuration back that was live when a new one passes the test but does not come to run", async () => {
    // The test runs in a namespace of its own, where the port is free.
    await edge.occupy(8089);
    const files = {
      ...renderNginx({ drain, proxyRanges: [] }),
      "sites/shop.conf": "server { listen 8089; server_name shop.test; }\n",
    };
    const { code, output } = await edge.put("shop", ["shop.test"], files);
    assert.notEqual(code, 0);
    assert.match(output, /8089.*Address already in use|Address already in use.*8089/);
    assert.match(output, /the one before it is back/);
    assert.equal((await visit(edge, "shop.test", "/version")).body, "1.0.0");
    assert.deepEqual(await edge.site(shop(), drain), { code: 0, output: "" });
  });

  it("keeps its nginx when the new image has none", async () => {
    const { code, output } = await edge.runtime(edge.application);
    assert.notEqual(code, 0);
    assert.match(output, /cannot serve/);
    assert.equal((await visit(edge, "shop.test", "/version")).body, "1.0.0");
    assert.deepEqual(await edge.runtime(), { code: 0, output: "" });
  });

  it("finishes an upgrade that was interrupted", async () => {
    const image = await edge.otherImage("2");
    const running = edge.begin(edge.runtimeArguments(image));
    await until("the new generation is there", 20_000, async () => {
      return (await edge.generations()).some((generation) => generation.image === image) ? true : undefined;
    });
    running.kill();
    await edge.must(edge.runtime(image));
    assert.equal((await visit(edge, "shop.test", "/version")).body, "1.0.0");
    await until("one generation is left", 20_000, async () => {
      const images = (await edge.generations()).map((generation) => generation.image);
      return images.length === 1 && images[0] === image ? true : undefined;
    });
  });

  it("comes back when the container that owns the ports was started anew", async () => {
    await edge.container().restart({ t: 0 });
    const watch = edge.begin(["watch"]);
    const body = await until("the site answers again", 20_000, () =>
      visit(edge, "shop.test", "/version").then(
        (answer) => answer.body,
        () => undefined,
      ),
    );
    assert.equal(body, "1.0.0");
    await until("what was in the namespace before has gone", 10_000, async () =>
      (await edge.generations()).length === 1 ? true : undefined,
    );
    watch.kill();
  });

  it("answers plain HTTP with the way to HTTPS, and unknown names with nothing", async () => {
    const moved = await visitPlain(edge, "blog.test", "/a%20b/?c=d&e");
    assert.deepEqual([moved.status, moved.headers.location], [301, "https://blog.test/a%20b/?c=d&e"]);
    await assert.rejects(visitPlain(edge, "unknown.test", "/"), /socket hang up|ECONNRESET/);
    await assert.rejects(visit(edge, "unknown.test", "/"), /unrecognized name/);
    await assert.rejects(visit(edge, "shop.test", "/", { headers: { host: "unknown.test" } }), /socket hang up/);
  });

  it("removes one system and goes with the last", async () => {
    await edge.must(edge.edge(["remove", "blog"]));
    await edge.must(edge.edge(["leave", "no-such-network"]));
    await assert.rejects(visit(edge, "blog.test", "/"), /unrecognized name/);
    assert.equal((await visit(edge, "shop.test", "/version")).body, "1.0.0");

    await edge.must(edge.edge(["remove", "shop"]));
    await edge.must(edge.edge(["leave", edge.network]));
    assert.deepEqual(await edge.objects(), untouched);
  });
});
