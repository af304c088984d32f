import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { pin, renderStackFile, updateStackFile, type StackFacts } from "../../lab/stack-file.ts";
import { parse as parseConfig } from "../../components/config/load.ts";
import palmistry from "../../systems/palmistry/system.ts";
import { labSystem } from "../../lab/systems.ts";
import { golden } from "../support/golden.ts";

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const images = (letters: Record<string, string>) =>
  Object.fromEntries(Object.entries(letters).map(([name, letter]) => [name, digest(letter)]));

const facts: StackFacts = {
  lab: { name: "local", stack: "local", domain: "palmistry.test" },
  system: await labSystem(join(import.meta.dirname, "../.."), "palmistry"),
  hosts: [
    {
      name: "host1",
      sshPort: 2201,
      httpsPort: 8443,
      address: "10.89.1.11",
      hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBerth",
      id: "c0ffee",
    },
  ],
  cores: 2,
  images: {
    digests: images({
      "edge:1.30": "a",
      "postgres:15": "b",
      "redis:7.0": "c",
      "palmistry-api:1.0.0": "d",
      "palmistry-api:1.1.0": "1",
      "palmistry-frontend:1.0.0": "e",
      "palmistry-worker:1.0.0": "f",
    }),
    earlier: {},
  },
  ca: "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
  zoneId: "0123456789abcdef0123456789abcdef",
};
const api = (text: string) => (parse(text) as Parsed).config["berth:images"]["api"];
interface Parsed {
  config: Record<string, unknown> & { "berth:images": Record<string, string> };
}

describe("stack file of the lab", () => {
  it("says who wrote it and pins every image by digest", () => {
    golden("lab/Pulumi.local.yaml", renderStackFile(facts));
  });

  it("is a valid configuration of its system", () => {
    const { config } = parse(renderStackFile(facts)) as Parsed;
    const values = Object.fromEntries(
      Object.entries(config).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
    );
    const read = parseConfig({
      stack: "local",
      values: { ...values, "palmistry:OPENAI_API_KEY": "x" },
      secretKeys: ["palmistry:OPENAI_API_KEY"],
      system: palmistry,
      knownSystems: ["palmistry"],
      environment: { CLOUDFLARE_API_TOKEN: "t" },
    });
    assert.equal(read.hosts[0]?.publicAddress, "10.89.1.11");
    assert.equal(read.images["api"]?.digest, digest("d"));
  });

  const extra = (name: string, number: number) => ({
    ...facts.hosts[0]!,
    name,
    sshPort: 2200 + number,
    address: `10.89.1.1${number}`,
  });
  const three = { ...facts, hosts: [facts.hosts[0]!, extra("host2", 2), extra("host3", 3)] };
  interface Hosts {
    config: { "berth:hosts": { role?: string; privateAddress: string }[]; "berth:volumes"?: Record<string, string> };
  }
  const rolesOf = (text: string) => (parse(text) as Hosts).config["berth:hosts"].map(({ role }) => role ?? "manager");

  it("gives several hosts roles, private addresses and the last of them the volumes", () => {
    const text = renderStackFile(three);
    const { config } = parse(text) as Hosts;
    assert.deepEqual(config["berth:volumes"], { postgres: "host3", redis: "host3", uploads: "host3" });
    assert.deepEqual(
      config["berth:hosts"].map((one) => one.privateAddress),
      ["10.89.1.11", "10.89.1.12", "10.89.1.13"],
    );
    assert.deepEqual(rolesOf(text), ["manager", "manager", "manager"]);
    assert.deepEqual(rolesOf(renderStackFile({ ...three, hosts: three.hosts.slice(0, 2) })), ["manager", "worker"]);
  });

  it("leaves volumes where they were when hosts come to the first", () => {
    const { config } = parse(updateStackFile(renderStackFile(facts), three)) as Hosts;
    assert.deepEqual(config["berth:volumes"], { postgres: "host1", redis: "host1", uploads: "host1" });
  });

  it("does not change when nothing else has", () => {
    const text = renderStackFile(facts);
    assert.equal(updateStackFile(text, facts), text);
  });

  it("follows the machine's ports and keys and keeps what people wrote", () => {
    const text = `${renderStackFile(facts)}  # mine\n  berth:services:\n    api: { replicas: 2 } # fewer\n`;
    const host = { ...facts.hosts[0]!, sshPort: 2202 };
    const updated = updateStackFile(text, { ...facts, hosts: [host] });
    assert.equal(updated, text.replace("port: 2201", "port: 2202"));
  });

  it("lets a pin follow its image when that was rebuilt", () => {
    const rebuilt = { digests: { ...facts.images.digests, "palmistry-api:1.0.0": digest("9") }, earlier: {} };
    const earlier = { "palmistry-api:1.0.0": [digest("8"), digest("d")] };
    const updated = updateStackFile(renderStackFile(facts), { ...facts, images: { ...rebuilt, earlier } });
    assert.equal(api(updated), pin("palmistry-api:1.0.0", digest("9")));
  });

  it("keeps a pin that a person set, whatever was rebuilt", () => {
    const mine = pin("palmistry-api:1.0.0", digest("7"));
    const text = renderStackFile(facts).replace(pin("palmistry-api:1.0.0", digest("d")), mine);
    const earlier = { "palmistry-api:1.0.0": [digest("d")] };
    assert.equal(api(updateStackFile(text, { ...facts, images: { ...facts.images, earlier } })), mine);
  });
});
