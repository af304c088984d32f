import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { problemsOf } from "../support/problems.ts";
import { environments, filledIn, hasAccess, rawOf, stackFiles, systemNames, type Mapping } from "../support/systems.ts";

const root = join(import.meta.dirname, "../..");

for (const file of stackFiles) {
  describe(file.path, () => {
    it("has nothing wrong in it once a team has filled in what is its own", async () => {
      assert.deepEqual(problemsOf(await rawOf(file, await filledIn(file))), []);
    });

    it("tells a newcomer all that is missing, with the commands that provide it", async () => {
      const { stack } = file;
      const given = await filledIn(file);
      const pin = (key: string): string =>
        `berth:images.${key}: is missing; run \`npm run berth -- pin ${stack} ${key}=<tag>\`, or before the first up ` +
        "write its repository:tag@sha256:…";
      const hosts = (file.config["berth:hosts"] as Mapping[]).flatMap(({ address }, index) => [
        `berth:hosts[${index}].address: is an address for documentation, got "${String(address)}"; write the address ` +
          "of your machine",
        `berth:hosts[${index}].hostKey: is missing; run \`npm run berth -- host-key <address>\` and paste the line it ` +
          "prints",
      ]);
      const set = (key: string): string =>
        `${key}: is missing; run \`pulumi config set --secret ${key} --stack ${stack}\``;
      assert.deepEqual(problemsOf(await rawOf(file)), [
        "berth:acme.agreeToTerms: is not accepted, got false; read the authority's terms and write true",
        'berth:acme.email: is an address for documentation, got "operations@example.com"; write one that is read',
        ...(hasAccess(file.config)
          ? ["berth:cloudflare.accountId: is missing; add the account's id, which access needs"]
          : []),
        "berth:cloudflare.zoneId: is missing; add it: Zone in which the DNS records are kept",
        ...hosts,
        ...Object.keys(given["berth:images"] as Mapping).map(pin),
        'berth:registry.address: is an address for documentation, got "registry.example.com/acme"; ' +
          "write your registry's",
        ...Object.keys(given)
          .filter((key) => !key.startsWith("berth:"))
          .toSorted()
          .map((key) => (key === "cloudflare:apiToken" ? `${set(key)} or set CLOUDFLARE_API_TOKEN` : set(key))),
      ]);
    });

    it("has no key that the editor's schema does not know, and all that it requires but pins", () => {
      const schema = JSON.parse(readFileSync(join(root, "docs/stack.schema.json"), "utf8")) as {
        properties: { config: { properties: Mapping; required: string[] } };
      };
      const { properties, required } = schema.properties.config;
      const keys = Object.keys(file.config).filter((key) => !key.startsWith(`${file.system}:`));
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
  for (const place of ["Pulumi.", ...systemNames.map((name) => `systems/${name}/`)]) {
    const configs = environments.map((environment) => {
      const found = stackFiles.find(({ path }) => path === `${place}${environment}.yaml`);
      return found?.config ?? {};
    });

    it(`have the same keys in the same order, so that their difference is that of the environments: ${place}*`, () => {
      const [staging, production] = configs.map((config) => keysOf(withoutPins(config)));
      assert.ok((staging ?? []).length > 10);
      assert.deepEqual(staging, production);
    });
  }

  it("say the same of palmistry in the root and beside it", () => {
    for (const environment of environments) {
      const [inRoot, beside] = [`Pulumi.${environment}.yaml`, `systems/palmistry/${environment}.yaml`].map(
        (path) => stackFiles.find((file) => file.path === path)?.config,
      );
      assert.ok(inRoot);
      assert.deepEqual(beside, inRoot);
    }
  });
});

/** Pins come and go by themselves, and so do supplied secrets. */
function withoutPins(config: Mapping): Mapping {
  const own = Object.entries(config).filter(([key]) => key.startsWith("berth:") && key !== "berth:images");
  return Object.fromEntries(own);
}

/** Every key of a document in its order, nested ones behind their parent's. */
function keysOf(node: unknown, path = ""): string[] {
  if (typeof node !== "object" || node === null) return [];
  return Object.entries(node).flatMap(([key, value]) => [`${path}/${key}`, ...keysOf(value, `${path}/${key}`)]);
}
