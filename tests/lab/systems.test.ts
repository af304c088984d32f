import assert from "node:assert/strict";
import type { Route, Site } from "../../components/config/edge.ts";
import { systemSchema, type System } from "../../components/config/system.ts";
import { hasFiles, labCommand, labObjects } from "./support/command.ts";
import { createLab, type TestLab } from "./support/lab.ts";

/** A route as a visitor asks for it. */
interface Question {
  readonly host: string;
  readonly site: Site;
  readonly route: Route;
}

describe("systems in one lab", function () {
  this.timeout(900_000);
  const labs: TestLab[] = [];
  after(async () => {
    await labs[0]?.destroy();
  });

  async function bringUp(name: string): Promise<TestLab> {
    const lab = labs[0] ? await labs[0].beside(name) : await createLab({ system: name, prepared: true });
    labs.push(lab);
    await lab.mustUp();
    return lab;
  }
  const named = (name: string): TestLab => labs.find(({ lab }) => lab.system === name)!;

  for (const name of ["cap-demo", "fitness-crm", "my-saas-chat"]) {
    describe(name, () => {
      isAsDefined(name, () => bringUp(name));
    });
  }

  describe("side by side", () => {
    it("keep a visitor of cap-demo on one task by his cookie, and spread the others", async () => {
      const lab = named("cap-demo");
      const host = `cp.${lab.lab.domain}`;
      const first = await lab.get("/version", host);
      const cookie = (first.headers["set-cookie"] ?? []).map((text) => text.split(";")[0]).join("; ");
      const tasks = async (headers: Record<string, string>): Promise<Set<unknown>> => {
        const answers = [];
        for (let asked = 0; asked < 9; asked++) answers.push(await lab.get("/version", host, headers));
        return new Set(answers.map(({ headers }) => headers["x-task"]));
      };
      assert.deepEqual([...(await tasks({ Cookie: cookie }))], [first.headers["x-task"]]);
      assert.ok((await tasks({})).size > 1);
    });

    it("refuse what is above a limit with 429 and Retry-After", async () => {
      const lab = named("fitness-crm");
      const answers = await Promise.all(Array.from({ length: 12 }, () => lab.get("/api/auth/version")));
      const refused = answers.filter(({ status }) => status === 429);
      assert.ok(refused.length > 0, answers.map(({ status }) => status).join(", "));
      assert.ok(refused.every(({ headers }) => headers["retry-after"] !== undefined));
    });

    it("do not disturb each other: one is destroyed and leaves nothing, the other is as it was", async () => {
      const [gone, kept] = [named("cap-demo"), named("fitness-crm")];
      const { code, stdout, stderr } = await gone.pulumi("destroy", "--yes", "--skip-preview");
      assert.equal(code, 0, stdout + stderr);
      for (const kind of ["service", "network", "volume", "secret", "config"]) {
        const left = await gone.run("docker", "exec", `berth-${gone.lab.name}-host1`, "docker", kind, "ls");
        assert.equal(left.code, 0, left.stderr);
        assert.doesNotMatch(left.stdout, /cap-demo/, kind);
        assert.match(left.stdout, kind === "secret" || kind === "config" ? /ID/ : /fitness-crm/, kind);
      }
      assert.equal((await kept.get("/version")).status, 200);
      const preview = await kept.pulumi("refresh", "--preview-only", "--expect-no-changes");
      assert.equal(preview.code, 0, preview.stdout + preview.stderr);
    });

    it("are gone after down, with all files of the lab, and other labs are not", async () => {
      const { name } = named("fitness-crm").lab;
      const others = (await labObjects()).filter(({ lab }) => lab !== name);
      const { code, output } = await labCommand(["down", "--name", name]);
      assert.equal(code, 0, output);
      assert.match(output, /Kept, for the next lab: /);
      const left = await labObjects();
      assert.deepEqual(
        left.filter(({ lab }) => lab === name),
        [],
      );
      for (const { id, lab } of others) {
        // A lab may have gone meanwhile by itself.
        if (await hasFiles(lab))
          assert.ok(
            left.some((each) => each.id === id),
            `${id} of ${lab}`,
          );
      }
      for (const { lab } of labs) assert.equal(await hasFiles(lab.stack), false, lab.stack);
      assert.equal(await hasFiles(name), false);
      labs.length = 0;
    });
  });
});

describe("personal-assistant on three hosts", function () {
  this.timeout(900_000);
  let lab: TestLab | undefined;
  after(() => lab?.destroy());

  isAsDefined("personal-assistant", async () => {
    lab = await createLab({ system: "personal-assistant", prepared: true });
    await lab.mustUp();
    return lab;
  });
});

function isAsDefined(name: string, bringUp: () => Promise<TestLab>): void {
  let lab: TestLab;
  let system: System;
  before(async () => {
    lab = await bringUp();
    system = await definition(name);
  });

  it("is up as pinned", async () => {
    const { code, stdout, stderr } = await lab.berth("status");
    assert.equal(code, 0, stdout + stderr);
  });

  it("answers at every route from the service that its definition names, with the site's headers", async () => {
    for (const question of questions(system, lab.lab.domain)) await answersFrom(lab, system, question);
  });

  it("finds nothing to do afterwards", async () => {
    const preview = await lab.pulumi("preview", "--expect-no-changes");
    assert.equal(preview.code, 0, preview.stdout + preview.stderr);
  });
}

async function definition(name: string): Promise<System> {
  const module = (await import(`../../systems/${name}/system.ts`)) as { default: unknown };
  return systemSchema.parse(module.default);
}

function questions({ edge }: System, domain: string): Question[] {
  return edge.sites.flatMap((site) =>
    site.routes.map((route) => ({ host: site.host.replaceAll("${domain}", domain), site, route })),
  );
}

async function answersFrom(lab: TestLab, system: System, { host, site, route }: Question): Promise<void> {
  const what = `https://${host}${route.path}`;
  const image = system.services[route.service]?.image ?? "";
  const isOurs = lab.prepared.system.images[image]?.startsWith(`${system.name}-`) === true;
  const path = isOurs ? `${route.path.replace(/\/$/, "")}/version` : route.path;
  const { status, headers } = await lab.get(path, host);
  if (isOurs) assert.deepEqual([status, headers["x-application"]], [200, `${system.name}-${image}`], what);
  else assert.ok(status < 400, `${what}: ${status}`);
  for (const [name, value] of Object.entries(site.headers))
    assert.equal(headers[name.toLowerCase()], value.replaceAll("${domain}", lab.lab.domain), `${what}: ${name}`);
}
