import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { labImages } from "../../lab/images.ts";
import { renderStackFile } from "../../lab/stack-file.ts";
import { labSystem, systemNames } from "../../lab/systems.ts";

const root = join(import.meta.dirname, "../..");

describe("systems in the lab", () => {
  for (const name of systemNames(root)) {
    it(`have an image for all that ${name} pins, and none besides its applications' other versions`, async () => {
      const system = await labSystem(root, name);
      const published = labImages(root, [system]).published.map(
        ({ repository, version }) => `${repository}:${version}`,
      );
      for (const image of Object.values(system.images)) assert.ok(published.includes(image), image);
      const others = published.filter((image) => !Object.values(system.images).includes(image));
      assert.ok(
        others.every((image) => image.startsWith(`${name}-`) && !image.endsWith(":1.0.0")),
        others.join(", "),
      );
    });
  }

  it("run what looks after a store in the store's image", async () => {
    const { images, applications } = await labSystem(root, "personal-assistant");
    assert.match(images.postgres ?? "", /^postgres:/);
    assert.deepEqual(
      applications.map(({ repository }) => repository),
      ["personal-assistant-api", "personal-assistant-frontend"],
    );
  });

  it("run in the role and on the port of the service that they are the image of", async () => {
    const { applications } = await labSystem(root, "palmistry");
    const [api, frontend, worker] = applications.map(({ role, port }) => [role, port]);
    assert.deepEqual(
      [api, frontend, worker],
      [
        ["web", 8000],
        ["web", 3000],
        ["worker", 8000],
      ],
    );
  });

  it("get as many hosts as in production, and what is otherwise in the lab from lab.yaml", async () => {
    const [assistant, palmistry] = await Promise.all(
      ["personal-assistant", "palmistry"].map((name) => labSystem(root, name)),
    );
    assert.equal(assistant?.hosts, 3);
    assert.match(palmistry?.config ?? "", /^ {2}berth:limits:$/m);
  });

  it("say which systems there are when one is not", async () => {
    await assert.rejects(labSystem(root, "nothing"), {
      message: /^--system or LAB_SYSTEM: must be one of cap-demo, .*palmistry.*, got "nothing"$/,
    });
  });

  it("each have a stack file that says how it came about", async () => {
    const system = await labSystem(root, "cap-demo");
    const digests = Object.fromEntries(
      Object.values(system.images).map((image) => [image, `sha256:${"a".repeat(64)}`]),
    );
    const text = renderStackFile({
      lab: { name: "local", stack: "local-cap-demo", domain: "cap-demo.test" },
      system,
      hosts: [],
      cores: 0.5,
      images: { digests, earlier: {} },
      ca: "",
      zoneId: "",
    });
    assert.match(text, /^# Written by `npm run lab -- --system cap-demo`: stack `local-cap-demo`/);
    const { config } = parse(text) as { config: Record<string, unknown> };
    assert.deepEqual([config["berth:system"], config["berth:domain"]], ["cap-demo", "cap-demo.test"]);
    const little = { resources: { cpus: 0.5, reserveCpus: 0.01, reserveMemory: "4 MB" } };
    const slow = { resources: { cpus: 0.5 } };
    assert.deepEqual(config["berth:services"], { "app-cp": little, "app-ap": little, "db-g1": slow, "db-g2": slow });
    assert.deepEqual(Object.keys(config["berth:images"] as object).sort(), Object.keys(system.images).sort());
  });
});
