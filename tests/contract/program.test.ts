import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { golden } from "../support/golden.ts";
import { record, type Recorded, type Recording } from "../support/mocks.ts";
import { sampleImages, sampleRaw } from "../support/sample-config.ts";

const sshKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nnot-a-key\n-----END OPENSSH PRIVATE KEY-----\n";
const openaiKey = "sk-operator-supplied";

/** The whole program with palmistry, as a preview sees it. */
async function program(): Promise<Recording<unknown>> {
  const raw = sampleRaw({ "berth:sshKey": sshKey, "palmistry:OPENAI_API_KEY": openaiKey });
  pulumi.runtime.setAllConfig({ ...raw.values } as Record<string, string>, [...raw.secretKeys]);
  return record(() => import("../../index.ts"), { preview: true });
}

describe("the program, with palmistry", () => {
  let recording: Recording<unknown>;
  const home = process.cwd();
  const elsewhere = mkdtempSync(join(tmpdir(), "berth-program-"));

  before(async () => {
    // It writes its SSH files below the current directory.
    process.chdir(elsewhere);
    recording = await program();
  });
  after(() => {
    process.chdir(home);
    rmSync(elsewhere, { recursive: true });
  });

  const ofType = (type: string): Recorded[] => recording.resources.filter((one) => one.type === type);
  const services = () => ofType("docker:index/service:Service");

  it("consists of these resources", () => {
    golden("program/palmistry.txt", `${recording.names().join("\n")}\n`);
  });

  it("runs every service from its pin, digest included", () => {
    const images = services().map(
      (one) => (one.inputs as { taskSpec: { containerSpec: { image: string } } }).taskSpec.containerSpec.image,
    );
    const { edge, ...rest } = sampleImages;
    assert.deepEqual(new Set(images), new Set(Object.values(rest)));
    assert.equal(typeof edge, "string");
  });

  it("shows no secret in clear, in no input of no resource", () => {
    const values = [sshKey.split("\n")[1]!, openaiKey, "generated-"];
    for (const one of recording.resources) {
      for (const [path, text] of leaves(one.inputs)) {
        const leaks = values.some(
          (value) => text.includes(value) || text.includes(Buffer.from(value).toString("base64").slice(0, 12)),
        );
        const marked = one.secrets.some((secret) => path === secret || path.startsWith(`${secret}.`));
        assert.ok(!leaks || marked, `${one.type} ${one.name}: ${path} holds a secret that is not marked`);
      }
    }
    assert.ok(ofType("docker:index/secret:Secret").every((one) => one.secrets.includes("data")));
  });

  it("publishes no port of any service", () => {
    for (const one of services()) assert.deepEqual(one.inputs["endpointSpec"], { mode: "dnsrr" }, one.name);
  });

  it("limits every service and asks each whether it is healthy", () => {
    for (const one of services()) {
      const { taskSpec } = one.inputs as {
        taskSpec: { resources: { limits: object }; containerSpec: { healthcheck: { tests: string[] } } };
      };
      assert.deepEqual(Object.keys(taskSpec.resources.limits).sort(), ["memoryBytes", "nanoCpus"], one.name);
      assert.ok(taskSpec.containerSpec.healthcheck.tests.length > 1, one.name);
    }
  });

  it("stops a store before it starts the next, and anything else after", () => {
    const orders = Object.fromEntries(
      services().map((one) => [
        one.inputs["name"] as string,
        (one.inputs as { updateConfig: { order: string } }).updateConfig.order,
      ]),
    );
    assert.deepEqual(orders, {
      "palmistry-postgres": "stop-first",
      "palmistry-redis": "stop-first",
      "palmistry-api": "start-first",
      "palmistry-frontend": "start-first",
      "palmistry-worker": "start-first",
    });
  });
});

/** Texts in a value with their paths. */
function leaves(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (Array.isArray(value)) return value.flatMap((item, index) => leaves(item, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => leaves(item, path ? `${path}.${key}` : key));
}
