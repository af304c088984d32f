import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import type { RawConfig } from "../../components/config/load.ts";
import palmistry from "../../systems/palmistry/system.ts";
import { problemsOf } from "../support/problems.ts";
import { sampleHostKey, sampleImages } from "../support/sample-config.ts";

type Mapping = Record<string, unknown>;

const root = join(import.meta.dirname, "../..");
const environments = ["staging", "production"] as const;

function stackFile(stack: string): Mapping {
  return (parseYaml(readFileSync(join(root, `Pulumi.${stack}.yaml`), "utf8")) as { config: Mapping }).config;
}

function raw(stack: string, changes: Mapping = {}): RawConfig {
  const values = { ...stackFile(stack), ...changes };
  const secretKeys = Object.keys(changes).filter((key) => !key.startsWith("berth:"));
  return { stack, values, secretKeys, system: palmistry, environment: {} };
}

/** What a team fills in before the first `pulumi up`: everything else in the file has to be right already. */
function filledIn(stack: string): Mapping {
  const file = stackFile(stack);
  const hosts = file["berth:hosts"] as Mapping[];
  return {
    "berth:hosts": hosts.map((host) => ({ ...host, address: "198.18.0.1", hostKey: sampleHostKey })),
    "berth:registry": { address: "registry.test" },
    "berth:images": sampleImages,
    "berth:acme": { ...(file["berth:acme"] as Mapping), email: "operations@palmistry.com", agreeToTerms: true },
    "berth:cloudflare": { ...(file["berth:cloudflare"] as Mapping), zoneId: "0".repeat(32) },
    "cloudflare:apiToken": "token",
    "palmistry:OPENAI_API_KEY": "key",
  };
}

for (const stack of environments) {
  describe(`Pulumi.${stack}.yaml`, () => {
    it("has nothing wrong in it once a team has filled in what is its own", () => {
      assert.deepEqual(problemsOf(raw(stack, filledIn(stack))), []);
    });

    it("tells a newcomer all that is missing, with the commands that provide it", () => {
      const pin = (key: string): string =>
        `berth:images.${key}: is missing; run \`npm run berth -- pin ${stack} ${key}=<tag>\`, or before the first up write its ` +
        "repository:tag@sha256:…";
      const address = (stackFile(stack)["berth:hosts"] as Mapping[])[0]?.address as string;
      assert.deepEqual(problemsOf(raw(stack)), [
        "berth:acme.agreeToTerms: is not accepted, got false; read the authority's terms and write true",
        'berth:acme.email: is an address for documentation, got "operations@example.com"; write one that is read',
        "berth:cloudflare.zoneId: is missing; add it: Zone in which the DNS records are kept",
        `berth:hosts[0].address: is an address for documentation, got "${address}"; write the address of your machine`,
        "berth:hosts[0].hostKey: is missing; run `npm run berth -- host-key <address>` and paste the line it prints",
        ...["api", "edge", "frontend", "postgres", "redis", "worker"].map(pin),
        'berth:registry.address: is an address for documentation, got "registry.example.com/acme"; ' +
          "write your registry's",
        `cloudflare:apiToken: is missing; run \`pulumi config set --secret cloudflare:apiToken --stack ${stack}\` or set ` +
          "CLOUDFLARE_API_TOKEN",
        "palmistry:OPENAI_API_KEY: is missing; run `pulumi config set --secret palmistry:OPENAI_API_KEY " +
          `--stack ${stack}\``,
      ]);
    });

    it("has no key that the editor's schema does not know, and all that it requires but pins", () => {
      const schema = JSON.parse(readFileSync(join(root, "docs/stack.schema.json"), "utf8")) as {
        properties: { config: { properties: Mapping; required: string[] } };
      };
      const { properties, required } = schema.properties.config;
      const keys = Object.keys(stackFile(stack)).filter((key) => !key.startsWith("palmistry:"));
      assert.deepEqual(
        keys.filter((key) => !(key in properties)),
        [],
      );
      assert.deepEqual(
        required.filter((key) => !keys.includes(key)),
        [],
      );
    });
  });
}

describe("the stack files of the environments", () => {
  it("have the same keys in the same order, so that their difference is that of the environments", () => {
    const [staging, production] = environments.map((stack) => keysOf(withoutPins(stackFile(stack))));
    assert.deepEqual(staging, production);
  });
});

/** Pins come and go by themselves, and so do supplied secrets. */
function withoutPins(file: Mapping): Mapping {
  const own = Object.entries(file).filter(([key]) => key.startsWith("berth:") && key !== "berth:images");
  return Object.fromEntries(own);
}

/** Every key of a document in its order, nested ones behind their parent's. */
function keysOf(node: unknown, path = ""): string[] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) => [`${path}/${key}`, ...keysOf(value, `${path}/${key}`)]);
}
