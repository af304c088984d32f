import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { X509Certificate } from "node:crypto";
import { join } from "node:path";
import { TestCloudflare } from "../support/cloudflare.ts";
import { PulumiProject } from "../support/pulumi.ts";

/** The commands of an edge host, done here: a key for each wish, and a file that holds what is served. */
const program = `
import { signByOriginCa } from ${JSON.stringify(join(import.meta.dirname, "../../components/cloudflare/origin-certificate.ts"))};
for (const name of settings.hosts ?? []) {
  const key = "key-" + name + "-" + settings.generation;
  const request = new command.local.Command(name + "-request", {
    create: "test -e " + key + ".csr || openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes " +
      "-subj /CN=" + name + " -keyout " + key + ".pem -out " + key + ".csr 2>/dev/null; cat " + key + ".csr",
    addPreviousOutputInEnv: false,
  });
  const certificate = { name: "main", names: settings.names, key: "ecdsa-p256", validity: 90 };
  const signed = signByOriginCa(name + "-signed", certificate, request.stdout, {});
  new command.local.Command(name, {
    create: (settings.broken ? "exit 1; " : "") + "cat >served-" + name + ".pem",
    stdin: signed,
    addPreviousOutputInEnv: false,
  });
}
`;

describe("certificates of the Origin CA on the real engine", function () {
  this.timeout(120_000);
  let cloudflare: TestCloudflare;
  let project: PulumiProject;
  const names = ["palmistry.test", "*.palmistry.test"];
  const say = (settings: object) => project.settings({ hosts: ["a", "b"], names, generation: 1, ...settings });

  before(async () => {
    cloudflare = await TestCloudflare.start();
    project = await PulumiProject.create({
      program,
      dependencies: ["@pulumi/cloudflare", "@pulumi/command"],
      env: { CLOUDFLARE_BASE_URL: cloudflare.baseUrl, CLOUDFLARE_API_TOKEN: cloudflare.token },
    });
    await say({});
  });
  after(async () => {
    await project.remove();
    await cloudflare.stop();
  });

  const served = async (host: string) =>
    new X509Certificate(await readFile(join(project.directory, `served-${host}.pem`), "utf8"));
  const valid = async () => {
    const { result } = await cloudflare.call("GET", `/certificates?zone_id=${cloudflare.zone.id}`);
    return (result as { certificate: string }[]).map(
      ({ certificate }) => new X509Certificate(certificate).serialNumber,
    );
  };
  const servedSerials = async () => [(await served("a")).serialNumber, (await served("b")).serialNumber];

  it("are one for each host, of the names in any order, and settle", async () => {
    await project.mustUp();
    assert.deepEqual((await valid()).toSorted(), (await servedSerials()).toSorted());
    assert.ok(await project.isSettled());
    await say({ names: names.toReversed() });
    assert.ok(await project.isSettled(), "another order is no other certificate");
  });

  it("have no key in the state", async () => {
    const { stdout } = await project.run("stack", "export", "--show-secrets");
    assert.match(stdout, /BEGIN CERTIFICATE REQUEST/);
    assert.doesNotMatch(stdout, /PRIVATE KEY/);
  });

  it("are announced by a preview and revoked after their successors are served", async () => {
    const before = await servedSerials();
    await say({ generation: 2 });
    const steps = (await project.preview()).map(({ op, urn }) => `${op} ${urn.split("::").at(-1) ?? ""}`);
    assert.ok(steps.includes("replace a-signed"), steps.join());
    cloudflare.requests.length = 0;
    await project.mustUp();
    const revoked = cloudflare.requests.filter(({ line }) => line.startsWith("DELETE /client/v4/certificates/"));
    assert.equal(revoked.length, 2);
    const serving = await Promise.all(["a", "b"].map((host) => stat(join(project.directory, `served-${host}.pem`))));
    for (const { at } of revoked) assert.ok(serving.every(({ mtimeMs }) => mtimeMs < at));
    const now = await servedSerials();
    assert.deepEqual((await valid()).toSorted(), now.toSorted());
    assert.ok(now.every((serial) => !before.includes(serial)));
  });

  it("stay valid while a host fails to serve the next ones, and go once it does", async () => {
    const before = await servedSerials();
    await say({ generation: 3, broken: true });
    const { code } = await project.up();
    assert.notEqual(code, 0);
    const meanwhile = await valid();
    assert.ok(before.every((serial) => meanwhile.includes(serial)));
    await say({ generation: 3 });
    await project.mustUp();
    assert.deepEqual((await valid()).toSorted(), (await servedSerials()).toSorted());
    assert.ok(await project.isSettled());
  });

  it("are revoked when a host leaves, and when the stack does", async () => {
    await say({ hosts: ["a"], generation: 3 });
    await project.mustUp();
    assert.deepEqual(await valid(), [(await served("a")).serialNumber]);
    await say({ hosts: [] });
    await project.mustUp();
    assert.deepEqual(await valid(), []);
  });
});
