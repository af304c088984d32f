import assert from "node:assert/strict";
import type * as pulumi from "@pulumi/pulumi";
import type { Edge, EdgeArgs } from "../../components/edge/edge.ts";
import { promiseOf, record, type MockOptions, type Recording } from "../support/mocks.ts";
import { sampleConfig, sampleImages } from "../support/sample-config.ts";

interface Surroundings {
  readonly edgeHosts?: number;
  readonly changes?: Record<string, unknown>;
  readonly now?: Date;
}

/** An edge beside a stand-in for each thing that it waits for. */
async function build({ edgeHosts = 1, changes = {}, now = new Date(0) }: Surroundings = {}): Promise<Recording<Edge>> {
  const config = sampleConfig({ "berth:sshKey": "private", ...changes });
  const outputs: MockOptions["outputs"] = ({ type, name }) => ({
    ...(name.endsWith("-request") && { stdout: `request of ${name}` }),
    ...(type.startsWith("cloudflare:") && { certificate: `signed for ${name}` }),
  });
  const program = async () => {
    const pulumi = await import("@pulumi/pulumi");
    const { connection } = await import("../../components/fleet/connection.ts");
    const { signByOriginCa } = await import("../../components/cloudflare/origin-certificate.ts");
    const { Edge } = await import("../../components/edge/edge.ts");
    class StandIn extends pulumi.CustomResource {}
    const farewell: EdgeArgs["fleet"]["farewell"] = (name, _host, said, opts) =>
      new StandIn("test:stand:Farewell", name, { said }, opts);
    const stand = (name: string): pulumi.Resource => new StandIn("test:stand:In", name);
    const host = config.hosts[0]!;
    const hosts = Array.from({ length: edgeHosts }, (_, index) => ({ ...host, name: `vm-${index + 1}` }));
    return new Edge("edge", {
      config,
      fleet: { edgeHosts: hosts, connection: (one) => connection(one, config.sshKey), farewell },
      networks: { id: () => pulumi.output("network-id"), name: (tier) => pulumi.output(`palmistry-${tier}`) },
      upstreamsReady: pulumi.output([stand("services")]),
      records: (host, dependsOn) => [new StandIn("test:stand:In", `dns-${host.name}`, {}, { dependsOn })],
      sign: signByOriginCa,
      presented: config.cloudflare !== "none" && config.cloudflare.originPulls ? [stand("presented")] : [],
      now,
    });
  };
  return record(program, { outputs });
}

describe("Edge", () => {
  it("makes runtime, sites and certificate of a host, one after another", async () => {
    const edge = await build();
    assert.deepEqual(
      edge.names().filter((name) => name.startsWith("edge")),
      [
        "edge berth:edge:Edge",
        "edge-vm-1-certificate-main command:remote:Command",
        "edge-vm-1-farewell test:stand:Farewell",
        "edge-vm-1-runtime command:remote:Command",
        "edge-vm-1-sites command:remote:Command",
      ],
    );
    const steps = ["runtime", "sites", "certificate-main"].map((step) => edge.get(`edge-vm-1-${step}`));
    assert.deepEqual(
      steps.map(({ parent, dependsOn }) => ({ parent, dependsOn })),
      [
        { parent: "edge", dependsOn: [] },
        { parent: "edge", dependsOn: ["edge-vm-1-runtime", "services"] },
        { parent: "edge", dependsOn: ["dns-vm-1", "edge-vm-1-sites"] },
      ],
      "routes go live after what they lead to; certificates come after the names and the answers to challenges",
    );
    for (const { secrets } of steps) assert.deepEqual(secrets, ["connection"]);
  });

  it("tells the host's program what the stack wants", async () => {
    const edge = await build({ changes: { "berth:acme": acme } });
    const inputs = (step: string) => edge.get(`edge-vm-1-${step}`).inputs;
    const program = "'/var/lib/berth/edge/bin/edge'";
    assert.match(String(inputs("runtime")["create"]), new RegExp(`'${sampleImages.edge}'.*palmistry-edge.*network-id`));
    assert.match(String(inputs("runtime")["stdin"]), /^#!\/bin\/sh\n/);
    assert.equal(inputs("farewell")["said"], `${program} 'remove' 'palmistry'\n${program} 'leave' 'palmistry-edge'`);
    assert.equal(inputs("sites")["create"], `${program} 'site' 'palmistry' 'main=palmistry.test,api.palmistry.test'`);
    assert.equal(
      inputs("certificate-main")["create"],
      `${program} 'certificate' 'palmistry' 'main' 'ecdsa-p256' 'http-01' 'https://pebble.test/dir' 'lab@palmistry.test' ` +
        "'palmistry.test' 'api.palmistry.test'",
    );
    assert.equal(inputs("certificate-main")["stdin"], `==> directory.pem <==\n${certificate}`);
    assert.match(String(inputs("sites")["stdin"]), /^==> sites\/palmistry\.conf <==\n# .* the sites of palmistry\./m);
  });

  it("limits nginx as the stack says, and else by what stands in the reference", async () => {
    const limits = async (changes: Record<string, unknown>) => {
      const { create } = (await build({ changes })).get("edge-vm-1-runtime").inputs;
      return /network-id'\W+(\d+)\W+(\d+)\W+(\d+)\W+$/.exec(String(create))?.slice(1).map(Number);
    };
    assert.deepEqual(await limits({}), [512 * 1024 ** 2, 2, 512]);
    const resources = { memory: "1 GB", cpus: 4 };
    assert.deepEqual(await limits({ "berth:edge": JSON.stringify({ resources }) }), [1024 ** 3, 4, 512]);
  });

  it("changes one edge host after another", async () => {
    const edge = await build({ edgeHosts: 2 });
    assert.deepEqual(edge.get("edge-vm-2-runtime").dependsOn, ["edge-vm-1-sites"]);
    const ready = await promiseOf(edge.result.ready);
    assert.equal(ready.length, 4);
  });

  it("sends nobody to a further host before it has a certificate, which it gets through the first", async () => {
    const edge = await build({ edgeHosts: 2 });
    assert.deepEqual(edge.get("dns-vm-1").dependsOn, ["edge-vm-1-sites"]);
    const before = ["dns-vm-1", "edge-vm-1-certificate-main", "edge-vm-2-sites"];
    assert.deepEqual(edge.get("edge-vm-2-certificate-main").dependsOn, before);
    assert.deepEqual(edge.get("dns-vm-2").dependsOn, ["edge-vm-2-certificate-main"]);
  });

  it("believes Cloudflare, and nobody else, about the visitor's address when records are proxied", async () => {
    const zoneId = "0123456789abcdef0123456789abcdef";
    const sites = async (zone: unknown) => {
      const edge = await build({ changes: { "berth:cloudflare": zone } });
      return String(edge.get("edge-vm-1-sites").inputs["stdin"]);
    };
    const proxied = await sites(JSON.stringify({ zoneId, proxied: true }));
    assert.match(proxied, /==> ranges\.conf <==\nset_real_ip_from 173\.245\.48\.0\/20;\n/);
    assert.equal(proxied.match(/include ranges\.conf;\n +real_ip_header/g)?.length, 2, "on each of the two sites");
    assert.doesNotMatch(await sites(JSON.stringify({ zoneId, proxied: false })), /real_ip_header/);
    assert.doesNotMatch(await sites("none"), /real_ip_header/);
  });

  it("hands the token for challenges by DNS over as a secret, to the certificates that need it alone", async () => {
    const edge = await build({
      changes: {
        "berth:cloudflare": { zoneId: "0123456789abcdef0123456789abcdef" },
        "berth:certificates": { main: { challenge: "dns-01" } },
        "berth:dnsToken": "the-token",
      },
    });
    const { inputs, secrets } = edge.get("edge-vm-1-certificate-main");
    assert.match(String(inputs["stdin"]), /^==> cloudflare.ini <==\ndns_cloudflare_api_token = the-token$/m);
    assert.doesNotMatch(String(inputs["create"]), /the-token/);
    assert.deepEqual([...secrets].toSorted(), ["connection", "stdin"]);
  });

  describe("with certificates of Cloudflare's Origin CA", () => {
    const changes = {
      "berth:cloudflare": { zoneId: "0123456789abcdef0123456789abcdef", proxied: true },
      "berth:certificates": { main: { issuer: "cloudflare-origin", validity: 90 } },
    };
    const command = "command:remote:Command";

    it("takes each host's request to Cloudflare, and what was signed for it back", async () => {
      const edge = await build({ edgeHosts: 2, changes });
      for (const host of ["vm-1", "vm-2"]) {
        const name = `edge-${host}-certificate-main`;
        const program = "'/var/lib/berth/edge/bin/edge'";
        assert.equal(
          edge.get(`${name}-request`, command).inputs["create"],
          `${program} 'request' 'palmistry' 'main' 'ecdsa-p256' '1.0' 'api.palmistry.test' 'palmistry.test'`,
        );
        assert.deepEqual(edge.get(`${name}-signed`).inputs, {
          csr: `request of ${name}-request`,
          hostnames: ["api.palmistry.test", "palmistry.test"],
          requestType: "origin-ecc",
          requestedValidity: 90,
        });
        const issued = edge.get(name, command);
        assert.equal(issued.inputs["create"], `${program} 'issued' 'palmistry' 'main'`);
        assert.equal(issued.inputs["stdin"], `signed for ${name}-signed`);
      }
    });

    it("asks for another one with each period, and at once with another generation", async () => {
      const asked = async (days: number, generation = 1) => {
        const certificates = { main: { issuer: "cloudflare-origin", validity: 90, generation } };
        const now = new Date(days * 24 * 60 * 60 * 1000);
        const edge = await build({ changes: { ...changes, "berth:certificates": certificates }, now });
        return edge.get("edge-vm-1-certificate-main-request").inputs["create"];
      };
      assert.equal(await asked(0), await asked(59));
      assert.notEqual(await asked(59), await asked(60));
      assert.notEqual(await asked(0), await asked(0, 2));
    });

    it("sends visitors to no host before it has its certificate, for the Origin CA does not look at it", async () => {
      const edge = await build({ edgeHosts: 2, changes });
      assert.deepEqual(edge.get("dns-vm-1").dependsOn, ["edge-vm-1-certificate-main"]);
      assert.deepEqual(edge.get("dns-vm-2").dependsOn, ["edge-vm-2-certificate-main"]);
    });
  });

  describe("with a client certificate of Cloudflare's", () => {
    const changes = (originPulls: object) => ({
      "berth:cloudflare": { zoneId: "0123456789abcdef0123456789abcdef", proxied: true, originPulls },
    });
    const files = async (originPulls: object) => {
      const edge = await build({ changes: changes(originPulls) });
      return String(edge.get("edge-vm-1-sites").inputs["stdin"]);
    };

    it("has each site ask for it, and demand it once that is said", async () => {
      const presented = await files({ stage: "presented" });
      assert.equal(presented.match(/ssl_verify_client optional_no_ca;/g)?.length, 2);
      const demanded = await files({ stage: "demanded", sites: ["api.${domain}"] });
      assert.equal(demanded.match(/ssl_verify_client on;/g)?.length, 1);
      assert.match(demanded, /^==> sites\/palmistry\.client-ca\.pem <==\n-----BEGIN CERTIFICATE-----\nMIIGCjCC/m);
      assert.doesNotMatch(
        await files({ stage: "presented", sites: ["${domain}"] }),
        /optional_no_ca[^]*optional_no_ca/,
      );
    });

    it("goes live after Cloudflare shows it", async () => {
      const edge = await build({ changes: changes({ stage: "demanded" }) });
      assert.deepEqual(edge.get("edge-vm-1-sites").dependsOn, ["edge-vm-1-runtime", "presented", "services"]);
    });
  });

  it("asks for everything again on a host that was set up anew under its name", async () => {
    const keys = async (hostKey: string) => {
      const hosts = [{ name: "vm-1", address: "127.0.0.1", port: 2222, hostKey, labels: { edge: "true" } }];
      const edge = await build({ changes: { "berth:hosts": JSON.stringify(hosts) } });
      return ["runtime", "sites", "certificate-main"].map(
        (step) => (edge.get(`edge-vm-1-${step}`).inputs["connection"] as Record<string, unknown>)["hostKey"],
      );
    };
    const anew = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnewAnewAnewAnewAnewAnewAnewAnewAnewAnewAnew";
    assert.deepEqual(await keys(anew), [anew, anew, anew], "a command runs again when its connection is another one");
  });

  it("names the address of the first site", async () => {
    assert.equal((await build()).result.url, "https://palmistry.test");
  });
});

const certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const acme = JSON.stringify({
  directory: "https://pebble.test/dir",
  email: "lab@palmistry.test",
  agreeToTerms: true,
  ca: certificate,
});
