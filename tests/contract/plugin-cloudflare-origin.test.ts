import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Client } from "../../lab/plugins/cloudflare/client.ts";
import type { Context, ResourceType } from "../../lab/plugins/framework/types.ts";
import type { TestCloudflare } from "../support/cloudflare.ts";
import { diff, StandIn, typeOf, zoneId } from "../support/stand-in-cloudflare.ts";

const run = promisify(execFile);

describe("the cloudflare stand-in: certificates of origins", () => {
  let directory: string;
  let standIn: StandIn;
  let lab: TestCloudflare;
  let context: Context<Client>;
  before(async () => {
    standIn = await StandIn.start();
    ({ lab } = standIn);
    directory = await mkdtemp(join(tmpdir(), "berth-certificates-"));
  });
  after(async () => {
    await standIn.stop();
    await rm(directory, { recursive: true });
  });
  beforeEach(() => {
    ({ context } = standIn);
  });
  const key = async (kind: "rsa" | "ec", name: string) => {
    const make = kind === "rsa" ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
    const at = (end: string) => join(directory, `${name}.${end}`);
    const common = ["-newkey", ...make, "-nodes", "-subj", `/CN=${name}`, "-keyout", at("key")];
    await run("openssl", ["req", "-new", ...common, "-out", at("csr")]);
    await run("openssl", ["req", "-x509", "-days", "30", "-key", at("key"), "-subj", `/CN=${name}`, "-out", at("pem")]);
    const [certificate, privateKey] = await Promise.all([readFile(at("pem"), "utf8"), readFile(at("key"), "utf8")]);
    return { csr: await readFile(at("csr"), "utf8"), certificate, privateKey };
  };

  for (const [kind, requestType] of [
    ["ec", "origin-ecc"],
    ["rsa", "origin-rsa"],
  ] as const)
    it(`gets a real ${kind} certificate from the Origin CA, and revokes it`, async () => {
      const type = typeOf("OriginCaCertificate") as Required<ResourceType<Client>>;
      const { csr, privateKey } = await key(kind, `origin-${kind}`);
      const inputs = { csr, hostnames: ["palmistry.test", "*.palmistry.test"], requestType, requestedValidity: 90 };
      const { id, outputs } = await type.create(inputs, context);
      const leaf = new X509Certificate(String(outputs["certificate"]));
      const published = (await (await fetch(`${lab.origin}/lab/origin-ca/${kind}`)).json()) as { certificate: string };
      const root = new X509Certificate(published.certificate);
      assert.ok(leaf.checkIssued(root) && leaf.verify(root.publicKey) && root.ca);
      assert.equal(leaf.subjectAltName, "DNS:palmistry.test, DNS:*.palmistry.test");
      assert.equal(Math.round((leaf.validToDate.getTime() - Date.now()) / 86_400_000), 90);
      assert.ok(leaf.checkPrivateKey(createPrivateKey(privateKey)));
      const live = await type.read(id, outputs, inputs, context);
      assert.deepEqual([live?.inputs, diff("OriginCaCertificate", live!.outputs, inputs).changes], [inputs, []]);
      const moved = { ...inputs, hostnames: ["*.palmistry.test", "palmistry.test"] };
      assert.deepEqual(diff("OriginCaCertificate", outputs, moved).replaces, ["hostnames[0]", "hostnames[1]"]);
      await type.delete(id, outputs, context);
      assert.equal(await type.read(id, outputs, inputs, context), undefined);
    });

  it("refuses an Origin CA certificate for another's names, a spoilt request and another kind of key", async () => {
    const type = typeOf("OriginCaCertificate");
    const { csr } = await key("ec", "refused");
    const inputs = { csr, hostnames: ["palmistry.test"], requestType: "origin-ecc" };
    const spoilt = csr.replace(/(.{20})(.)/, (_, head: string, letter: string) => head + (letter === "A" ? "B" : "A"));
    for (const [news, message] of [
      [{ ...inputs, hostnames: ["example.com"] }, /1010.*Failed to validate requested hostname example.com: This zone/],
      [{ ...inputs, csr: "x" }, /CSR could not be parsed/],
      [{ ...inputs, csr: spoilt }, /CSR could not be parsed/],
      [{ ...inputs, requestType: "origin-rsa" }, /does not match request_type/],
    ] as const)
      await assert.rejects(type.create(news, context), message);
  });

  it("shows a client certificate to origins, for the zone and for one host", async () => {
    const { certificate, privateKey } = await key("ec", "pull");
    const inputs = { zoneId, certificate, privateKey };
    const pulls = typeOf("AuthenticatedOriginPullsCertificate") as Required<ResourceType<Client>>;
    assert.deepEqual(pulls.secretOutputs, ["privateKey"]);
    const { id, outputs } = await pulls.create(inputs, context);
    assert.deepEqual([outputs["certificateId"], outputs["status"]], [id, "pending_deployment"]);
    const live = await pulls.read(id, outputs, inputs, context);
    assert.deepEqual([live?.outputs["status"], live?.inputs], ["active", inputs]);
    assert.ok(
      !JSON.stringify((await lab.call("GET", `/zones/${zoneId}/origin_tls_client_auth`)).result).includes("PRIVATE"),
    );
    assert.deepEqual(
      diff("AuthenticatedOriginPullsCertificate", outputs, { ...inputs, certificate: certificate.trimEnd() }).changes,
      [],
    );
    const other = await key("ec", "other");
    assert.deepEqual(
      diff("AuthenticatedOriginPullsCertificate", outputs, { ...inputs, certificate: other.certificate }).replaces,
      ["certificate"],
    );
    await assert.rejects(
      pulls.create({ ...inputs, certificate: other.certificate }, context),
      /1412.*pair you uploaded is invalid/,
    );

    const hostCertificate = await typeOf("AuthenticatedOriginPullsHostnameCertificate").create(inputs, context);
    const hostPulls = typeOf("AuthenticatedOriginPulls") as Required<ResourceType<Client>>;
    const config = { zoneId, configs: [{ hostname: "palmistry.test", certId: hostCertificate.id, enabled: true }] };
    await assert.rejects(
      hostPulls.create({ ...config, configs: [{ ...config.configs[0], certId: id }] }, context),
      /1405/,
    );
    const made = await hostPulls.create(config, context);
    assert.deepEqual([made.id, made.outputs["certId"]], ["palmistry.test", hostCertificate.id]);
    const seen = await hostPulls.read(made.id, made.outputs, config, context);
    assert.deepEqual([seen?.inputs, diff("AuthenticatedOriginPulls", seen!.outputs, config).changes], [config, []]);
    await hostPulls.delete(made.id, made.outputs, context);
    assert.equal(await hostPulls.read(made.id, made.outputs, config, context), undefined);
    await pulls.delete(id, outputs, context);
  });
});
