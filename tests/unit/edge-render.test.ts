import assert from "node:assert/strict";
import {
  certificateCommand,
  certificateFiles,
  hostProgram,
  renderEdgeCheck,
  renderFiles,
  requestCommand,
  runtimeCommand,
  siteCommand,
} from "../../components/edge/edge.render.ts";
import { renewalPeriod } from "../../components/edge/certificates.ts";
import { renderNginx } from "../../components/edge/nginx.render.ts";
import { renderSites } from "../../components/edge/site.render.ts";
import { literal } from "../../components/edge/syntax.ts";
import { siteCases } from "../support/edge-sites.ts";
import { golden } from "../support/golden.ts";

describe("nginx's configuration", () => {
  it("holds what all systems on a host share", () => {
    golden(
      "edge/nginx.files",
      renderFiles(renderNginx({ drain: "1 hour", proxyRanges: ["192.0.2.0/24", "2001:db8::/32"] })),
    );
  });

  for (const [name, input] of Object.entries(siteCases)) {
    it(`serves ${name.replaceAll("-", " ")}`, () => {
      golden(`edge/sites/${name}.conf`, renderSites(input));
    });
  }

  it("takes no text for a directive of its own", () => {
    assert.equal(literal('a "b" \\ $host'), '"a \\"b\\" \\\\ ${dollar}host"');
  });

  it("rejects headers that would end their line", () => {
    const [site] = siteCases["plain-routes"]!.sites;
    const spoilt = (headers: Record<string, string>) =>
      renderSites({ ...siteCases["plain-routes"]!, sites: [{ ...site!, headers }] });
    assert.throws(() => spoilt({ "X-A": "a\r\nSet-Cookie: b" }), /not one line of text: "a\\r\\nSet-Cookie: b"/);
    assert.throws(() => spoilt({ "X-A: b; }": "a" }), /not a header name: "X-A: b; }"/);
  });

  it("rejects a route to what is no web service", () => {
    assert.throws(() => renderSites({ ...siteCases["plain-routes"]!, upstreams: {} }), /no web service "api" in shop/);
  });

  it("rejects a site without a certificate", () => {
    assert.throws(
      () => renderSites({ ...siteCases["plain-routes"]!, certificates: [] }),
      /no certificate for "shop.test" in shop/,
    );
  });
});

describe("the period of a certificate of the Origin CA", () => {
  const day = 24 * 60 * 60 * 1000;
  const at = (days: number) => new Date(Date.parse("2026-01-01T00:00:00Z") + days * day);

  it("leaves a third of the validity, whenever in it the certificate was issued", () => {
    for (const validity of [7, 30, 90, 365, 730, 1095, 5475]) {
      for (const issued of [0, 1, 17, 59, 60, 250, 1000, 4000]) {
        let days = issued;
        while (renewalPeriod(validity, at(days)) === renewalPeriod(validity, at(issued))) days += 1;
        assert.ok(days - issued <= (validity * 2) / 3, `${validity} days, issued on day ${issued}, due on day ${days}`);
      }
    }
  });

  it("is one for a long time", () => {
    assert.equal(renewalPeriod(90, at(0)), renewalPeriod(90, at(1)));
    assert.equal(renewalPeriod(5475, at(0)), renewalPeriod(5475, at(365)));
  });
});

describe("the commands of an edge host", () => {
  const resources = { memory: "512 MB", cpus: 1.5, pids: 512 } as const;
  const runtime = {
    image: "registry.test/edge:1@sha256:00",
    network: "shop-edge",
    networkId: "abc",
    http3: false,
    resources,
  };

  it("install the program by a rename before they run it", () => {
    assert.equal(
      runtimeCommand({ user: "root" }, runtime),
      "'sh' '-euc' 'mkdir -p /var/lib/berth/edge/bin; cd /var/lib/berth/edge/bin; cat >edge.$$; chmod 755 edge.$$; " +
        "mv edge.$$ edge; exec '\\''/var/lib/berth/edge/bin/edge'\\'' '\\''runtime'\\'' " +
        "'\\''registry.test/edge:1@sha256:00'\\'' '\\''shop-edge'\\'' '\\''abc'\\'' " +
        "'\\''536870912'\\'' '\\''1.5'\\'' '\\''512'\\'''",
    );
  });

  it("tell the host when HTTP/3 is wanted", () => {
    assert.match(runtimeCommand({ user: "root" }, { ...runtime, http3: true }), /'512'\\'' '\\''http3'\\''/);
    assert.doesNotMatch(runtimeCommand({ user: "root" }, runtime), /http3/);
  });

  it("look in a check whether nginx has its limits, where there is an edge", () => {
    assert.equal(
      renderEdgeCheck(resources),
      `if [ -x /var/lib/berth/edge/bin/edge ]; then
  '/var/lib/berth/edge/bin/edge' 'differs' '536870912' '1.5' '512'
else
  echo 'differs: the edge is not set up'
fi
`,
    );
  });

  it("become root where the SSH user is not", () => {
    const site = siteCommand({ user: "deploy" }, "shop", [{ name: "main", names: ["shop.test", "api.shop.test"] }]);
    assert.equal(site, "'sudo' '-n' '/var/lib/berth/edge/bin/edge' 'site' 'shop' 'main=shop.test,api.shop.test'");
    assert.match(runtimeCommand({ user: "deploy" }, runtime), /^'sudo' '-n' 'sh' '-euc' /);
  });

  it("know every verb that is used", () => {
    const verbs = [
      "runtime",
      "differs",
      "reopen",
      "ranges",
      "site",
      "certificate",
      "request",
      "issued",
      "renewed",
      "remove",
      "leave",
      "watch",
      "upkeep",
      "renew",
      "revoke",
    ];
    const program = hostProgram();
    for (const verb of verbs) assert.match(program, new RegExp(`^${verb}\\(\\) \\{`, "m"));
    assert.match(program, /^#!\/bin\/sh\n/);
    assert.doesNotMatch(program, /^# include /m, "its parts stand in it");
  });

  it("take the token for challenges by standard input alone", () => {
    const acme = { directory: "https://ca.test/dir", email: "a@shop.test", cloudflareApi: "https://api.test/v4" };
    const wild = {
      name: "wild",
      names: ["*.shop.test"],
      key: "rsa-4096",
      issuer: "acme",
      challenge: "dns-01",
    } as const;
    assert.equal(
      certificateCommand({ user: "root" }, "shop", acme, wild),
      "'/var/lib/berth/edge/bin/edge' 'certificate' 'shop' 'wild' 'rsa-4096' 'dns-01' 'https://ca.test/dir' " +
        "'a@shop.test' '*.shop.test'",
    );
    assert.deepEqual(certificateFiles(acme, wild, "token"), {
      "cloudflare.ini": "dns_cloudflare_api_token = token\n",
      "cloudflare-api": "https://api.test/v4\n",
    });
    assert.deepEqual(certificateFiles(acme, { challenge: "http-01" }, "token"), {});
  });

  it("ask for a certificate of the Origin CA by generation and period, whatever the order of its names", () => {
    const origin = { name: "main", key: "rsa-2048", issuer: "cloudflare-origin", validity: 90, generation: 2 } as const;
    const request = (names: string[]) => requestCommand({ user: "deploy" }, "shop", { ...origin, names }, 340);
    assert.equal(
      request(["shop.test", "*.shop.test"]),
      "'sudo' '-n' '/var/lib/berth/edge/bin/edge' 'request' 'shop' 'main' 'rsa-2048' '2.340' '*.shop.test' 'shop.test'",
    );
    assert.equal(request(["*.shop.test", "shop.test"]), request(["shop.test", "*.shop.test"]));
  });

  it("carry files as text with their paths", () => {
    assert.equal(
      renderFiles({ "a/b.conf": "one\n", "c.conf": "two\n" }),
      "==> a/b.conf <==\none\n==> c.conf <==\ntwo\n",
    );
  });
});
