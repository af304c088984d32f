import assert from "node:assert/strict";
import { systemSchema } from "../../components/config/system.ts";
import { declaredExceptions } from "../../operations/hardening.ts";
import { golden } from "../support/golden.ts";
import type { Recorded, Recording } from "../support/mocks.ts";
import { renderPlan, type ServiceInputs } from "../support/plan.render.ts";
import { program, sshKey } from "../support/program.ts";
import { environments, filledIn, stackFileOf, systemNames, systemOf } from "../support/systems.ts";

function serviceInputs(recording: Recording<unknown>): ServiceInputs[] {
  return ofType(recording, "docker:index/service:Service").map(({ inputs }) => inputs as unknown as ServiceInputs);
}

const ofType = (recording: Recording<unknown>, type: string): Recorded[] =>
  recording.resources.filter((one) => one.type === type);

const components = {
  web: "berth:service:Service",
  worker: "berth:service:Service",
  job: "berth:service:Job",
  schedule: "berth:service:Schedule",
} as const;

/** Exceptions from the hardening that all services have, as they were reviewed. */
const exceptions: Readonly<Record<string, readonly string[]>> = {
  "cap-demo": [],
  "fitness-crm": [],
  "my-saas-chat": [],
  palmistry: [],
  "personal-assistant": ["api keeps CHOWN, SETGID, SETUID", "frontend keeps CHOWN, SETGID, SETUID"],
};

for (const system of systemNames) {
  for (const environment of environments) {
    describe(`the program, with ${system} in ${environment}`, () => {
      const file = stackFileOf(system, environment);
      let plan: Recording<unknown>;

      before(async () => {
        plan = await program(file);
      });

      it("would create what was reviewed", () => {
        golden(`plans/${system}-${environment}.txt`, renderPlan(plan));
      });

      if (environment === "production") {
        it("would serve its routes as they were reviewed", () => {
          const files = String(plan.get("edge-vm-1-sites").inputs["stdin"]);
          golden(`edge/sites/${system}.conf`, files.split(`==> sites/${system}.conf <==\n`)[1] ?? "");
        });
      }

      it("runs every service from its pin, digest included", async () => {
        const { edge, ...rest } = (await filledIn(file))["berth:images"] as Record<string, string>;
        assert.equal(typeof edge, "string");
        const jobs = [components.job, components.schedule]
          .flatMap((type) => ofType(plan, type))
          .map(({ inputs }) => inputs["image"]);
        const running = serviceInputs(plan).map(({ taskSpec }) => taskSpec.containerSpec.image);
        assert.deepEqual(new Set([...running, ...jobs]), new Set(Object.values(rest)));
      });

      it("shows no secret in clear, in no input of no resource", () => {
        const values = [sshKey.split("\n")[1]!, "supplied-", "generated-"];
        for (const one of plan.resources) {
          for (const [path, text] of leaves(one.inputs)) {
            const leaks = values.some(
              (value) => text.includes(value) || text.includes(Buffer.from(value).toString("base64").slice(0, 12)),
            );
            const marked = one.secrets.some((secret) => path === secret || path.startsWith(`${secret}.`));
            assert.ok(!leaks || marked, `${one.type} ${one.name}: ${path} holds a secret that is not marked`);
          }
        }
        const secrets = ofType(plan, "docker:index/secret:Secret");
        assert.ok(secrets.length > 0);
        assert.ok(secrets.every((one) => one.secrets.includes("data")));
      });

      it("attaches services to networks by id, which is what swarm answers with", () => {
        const ids = new Set(ofType(plan, "docker:index/network:Network").map(({ name }) => `${name}-id`));
        for (const { name, taskSpec } of serviceInputs(plan)) {
          assert.ok(taskSpec.networksAdvanceds.length > 0, name);
          for (const { id } of taskSpec.networksAdvanceds) assert.ok(ids.has(id), `${name}: ${id}`);
        }
      });

      it("publishes no port of any service, data or not", () => {
        for (const { name, endpointSpec } of serviceInputs(plan)) {
          assert.deepEqual(endpointSpec, { mode: "dnsrr" }, name);
        }
      });

      it("limits every service and asks each whether it is healthy", () => {
        for (const { name, taskSpec } of serviceInputs(plan)) {
          assert.deepEqual(Object.keys(taskSpec.resources.limits).sort(), ["memoryBytes", "nanoCpus"], name);
          assert.ok(taskSpec.containerSpec.healthcheck.tests.length > 1, name);
        }
      });

      it("confines every service, but for exceptions that were reviewed", () => {
        const found = serviceInputs(plan).flatMap(({ name, taskSpec }) => {
          const { user, readOnly, capDrops, capAdds = [] } = taskSpec.containerSpec;
          const short = name.replace(`${system}-`, "");
          return [
            ...(/^[1-9]\d*:[1-9]\d*$/.test(user ?? "") ? [] : [`${short} runs as ${user ?? "the image's user"}`]),
            ...(readOnly ? [] : [`${short} is writable`]),
            ...(capDrops.includes("ALL") ? [] : [`${short} keeps Docker's capabilities`]),
            ...(capAdds.length === 0
              ? []
              : [`${short} keeps ${capAdds.map((cap) => cap.replace("CAP_", "")).join(", ")}`]),
          ];
        });
        assert.deepEqual(found.toSorted(), exceptions[system]);
      });

      it("gives nothing of its host to what runs, Docker's socket least of all", () => {
        for (const { name, taskSpec } of serviceInputs(plan)) {
          for (const { type, source = "" } of taskSpec.containerSpec.mounts) {
            assert.ok(["volume", "tmpfs"].includes(type), `${name} mounts ${source}`);
            assert.doesNotMatch(source, /^\/|sock/, name);
          }
        }
        const ending = [components.job, components.schedule].flatMap((type) => ofType(plan, type));
        for (const { name } of ending) {
          for (const one of plan.resources.filter(({ parent }) => parent === name)) {
            for (const [path, text] of leaves(one.inputs)) {
              const options = text
                .split(/[\n ]/)
                .filter((word) => /type=bind|docker\.sock|^--(volume|privileged)/.test(word));
              assert.deepEqual(options, [], `${one.name}: ${path}`);
            }
          }
        }
      });

      it("has every exception in the file of its system, where status looks for it", async () => {
        const declared = Object.entries(declaredExceptions(await systemOf(system))).flatMap(([name, said]) =>
          said.map((exception) => `${name} ${exception}`),
        );
        assert.deepEqual(declared.toSorted(), exceptions[system]);
      });

      it("keeps every volume, and what runs, from being replaced or removed by accident", () => {
        for (const one of ofType(plan, "docker:index/volume:Volume")) {
          assert.ok(one.protect && one.retainOnDelete, one.name);
        }
        for (const one of ofType(plan, "docker:index/service:Service")) assert.ok(one.protect, one.name);
      });

      it("waits for what is depended on and for nothing else, so the rest is rolled out side by side", async () => {
        const { services, data } = systemSchema.parse(await systemOf(system));
        const ready = (name: string): string[] => {
          if (services[name]?.kind === "job") return [`${name}-run`];
          const store = data[name];
          const pooled = store?.kind === "postgres" && store.pooler !== undefined;
          return [`${name}-service`, ...(pooled ? [`${name}-pooler-service`] : [])];
        };
        for (const [name, { kind, dependsOn }] of Object.entries(services)) {
          const component = plan.get(name, components[kind]);
          const waits = component.dependsOn.filter((other) => !other.startsWith("fleet-"));
          assert.deepEqual(waits, dependsOn.flatMap(ready).toSorted(), name);
        }
      });

      it("lets no two tasks write into one store's volume", () => {
        const volumes = ofType(plan, "berth:data:Store").map(({ name }) => name);
        for (const { name, taskSpec, updateConfig, mode } of serviceInputs(plan)) {
          const kept = taskSpec.containerSpec.mounts.some(
            ({ type, source }) => type === "volume" && volumes.includes(source?.replace(`${system}-`, "") ?? ""),
          );
          if (kept) assert.deepEqual([updateConfig.order, mode.replicated.replicas], ["stop-first", 1], name);
        }
      });
    });
  }
}

describe("the program without Cloudflare", () => {
  for (const system of systemNames)
    it(`has ${system} with all but what is at Cloudflare`, async () => {
      const file = stackFileOf(system, "production");
      const changes = { "berth:cloudflare": "none", "berth:firewall": undefined };
      const [plan, without] = [await program(file), await program(file, changes)];
      const named = ({ resources }: Recording<unknown>) => resources.map(({ type, name }) => `${type} ${name}`);
      const there = named(plan).filter((one) => !/^(pulumi:providers:)?cloudflare:|^command:\S+ purge-/.test(one));
      assert.deepEqual(named(without).toSorted(), there.toSorted());
      assert.ok(there.length < plan.resources.length);
      const files = String(without.get("edge-vm-1-sites").inputs["stdin"]);
      assert.doesNotMatch(files.split("==> sites/")[1] ?? assert.fail("no sites"), /real_ip_header/);
    });
});

/** Texts in a value with their paths. */
function leaves(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (Array.isArray(value)) return value.flatMap((item, index) => leaves(item, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => leaves(item, path ? `${path}.${key}` : key));
}
