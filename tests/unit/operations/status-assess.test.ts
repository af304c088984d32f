import assert from "node:assert/strict";
import type { SiteCertificate } from "../../../operations/certificates.ts";
import {
  assessCertificate,
  assessEdge,
  assessHost,
  assessSchedule,
  assessService,
  clientCertificateProblems,
  type RawConfig,
  type RawNode,
  type RawTask,
  type Swarm,
} from "../../../operations/status.assess.ts";

const ref = (tag: string, character: string) => `registry.test/api:${tag}@sha256:${character.repeat(64)}`;
const [pinned, other] = [ref("1.0", "a"), ref("1.1", "b")];

function swarm(replicas: number, tasks: [image: string, state: string, desired?: string][]): Swarm {
  return {
    services: [{ ID: "s1", Spec: { Name: "palmistry-api", Mode: { Replicated: { Replicas: replicas } } } }],
    tasks: tasks.map(([image, state, desired]): RawTask => ({
      ServiceID: "s1",
      DesiredState: desired ?? "running",
      Status: { State: state },
      Spec: { ContainerSpec: { Image: image } },
    })),
    nodes: [],
    configs: [],
  };
}

describe("status of a service", () => {
  const assess = (seen: Swarm | undefined, pin: string | undefined = pinned) =>
    assessService("api", "palmistry-api", pin, seen);

  it("is good when every wanted task runs the pinned digest", () => {
    const status = assess(
      swarm(2, [
        [pinned, "running"],
        [pinned, "running"],
        [other, "complete", "shutdown"],
      ]),
    );
    assert.deepEqual([status.wanted, status.running, status.asPinned, status.problem], [2, 2, true, null]);
  });

  it("compares digests, not tags", () => {
    assert.equal(assess(swarm(1, [[ref("retagged", "a"), "running"]])).asPinned, true);
    assert.equal(assess(swarm(1, [[ref("1.0", "c"), "running"]])).asPinned, false);
  });

  it("names what runs instead of the pin", () => {
    const status = assess(
      swarm(2, [
        [pinned, "running"],
        [other, "running"],
      ]),
    );
    assert.equal(
      status.problem,
      "runs 1.0@sha256:aaaaaaaaaaaa and 1.1@sha256:bbbbbbbbbbbb instead of 1.0@sha256:aaaaaaaaaaaa",
    );
  });

  it("counts only tasks that run", () => {
    assert.equal(
      assess(
        swarm(3, [
          [pinned, "running"],
          [pinned, "starting"],
        ]),
      ).problem,
      "1 of 3 tasks run",
    );
  });

  it("is bad when the swarm does not have it, nothing pins it, or nobody answered", () => {
    assert.equal(assess({ services: [], tasks: [], nodes: [], configs: [] }).problem, "is not on the swarm");
    assert.equal(
      assessService("api", "palmistry-api", undefined, swarm(1, [[pinned, "running"]])).problem,
      "the stack file pins no image for it",
    );
    assert.equal(assess(undefined).problem, "not known: no manager of the swarm answered");
    assert.equal(assess(undefined).asPinned, false);
  });
});

describe("status of the edge", () => {
  const container = (name: string, image = pinned) => ({ Names: [`/${name}`], Image: image });
  const pause = container("berth-edge", other);

  it("is good when the newest generation on every edge host runs the pinned image", () => {
    const draining = container("berth-edge-9", other);
    const status = assessEdge(pinned, [
      [pause, draining, container("berth-edge-10")],
      [pause, container("berth-edge-1")],
    ]);
    assert.deepEqual([status.wanted, status.running, status.live, status.problem], [2, 2, [pinned], null]);
  });

  it("is bad on another image, without nginx, or when a host did not answer", () => {
    const problem = (...hosts: Parameters<typeof assessEdge>[1]) => assessEdge(pinned, hosts).problem;
    assert.equal(
      problem([container("berth-edge-1", other)]),
      "runs 1.1@sha256:bbbbbbbbbbbb instead of 1.0@sha256:aaaaaaaaaaaa",
    );
    assert.equal(problem([pause], [container("berth-edge-1")]), "runs on 1 of 2 hosts");
    assert.equal(problem(new Error("no"), [container("berth-edge-1")]), "not known: not every edge host answered");
  });
});

describe("status of a host", () => {
  const host = { name: "web-1", address: "192.0.2.1", role: "manager", state: "active", labels: {} };

  it("tells managers from workers", () => {
    const info = (ControlAvailable: boolean) => ({
      ServerVersion: "27.0",
      Swarm: { LocalNodeState: "active", ControlAvailable },
    });
    assert.deepEqual(
      [assessHost(host, info(true), undefined).swarm, assessHost(host, info(false), undefined).swarm],
      ["manager", "worker"],
    );
    assert.equal(assessHost(host, info(false), undefined).problem, null);
  });

  it("is bad outside the swarm and when it does not answer", () => {
    assert.equal(
      assessHost(host, { Swarm: { LocalNodeState: "inactive" } }, []).problem,
      "is not part of the swarm, its state is inactive",
    );
    const silent = assessHost(host, new Error("connect timed out"), []);
    assert.deepEqual([silent.reachable, silent.problem], [false, "connect timed out"]);
  });

  it("is bad when the swarm has it in another way than the stack file", () => {
    const node = (changed: { Role?: string; Availability?: string; disk?: string; State?: string }): RawNode => ({
      Spec: {
        Role: changed.Role ?? "manager",
        Availability: changed.Availability ?? "active",
        Labels: { "berth.host": "web-1", ...(changed.disk !== undefined && { disk: changed.disk }) },
      },
      Status: { State: changed.State ?? "ready" },
    });
    const problem = (...nodes: RawNode[]) =>
      assessHost(host, { Swarm: { LocalNodeState: "active", ControlAvailable: true } }, nodes).problem;
    assert.equal(problem(node({})), null);
    assert.equal(problem(node({ State: "down", Role: "worker" }), node({})), null, "an earlier machine of its name");
    assert.equal(problem(), "is not known to the swarm of the stack");
    assert.equal(problem(node({ State: "down" })), "the swarm finds it down");
    assert.equal(problem(node({ Role: "worker" })), "is a worker, the stack file says manager");
    assert.equal(problem(node({ Availability: "pause" })), "is pause, the stack file says active");
    assert.equal(
      problem(node({ disk: "ssd" })),
      "has labels berth.host=web-1 disk=ssd, the stack file says berth.host=web-1",
    );
  });
});

describe("status of a certificate", () => {
  const now = Date.parse("2026-06-01T00:00:00Z");
  const good: SiteCertificate = {
    issued: "2026-03-13T00:00:00Z",
    expires: "2026-08-01T00:00:00Z",
    issuer: "CA",
    originCa: false,
    placeholder: false,
    matches: true,
  };
  const problem = (change: Partial<SiteCertificate>) =>
    assessCertificate("a.test", "web-1", { ...good, ...change }, now).problem;

  it("is good with weeks to go", () => {
    const status = assessCertificate("a.test", "web-1", good, now);
    assert.deepEqual([status.daysLeft, status.problem], [61, null]);
  });

  it("is bad when it is a placeholder, for other names, near its end or past it", () => {
    assert.equal(problem({ placeholder: true }), "is the placeholder: none was issued yet");
    assert.equal(problem({ matches: false }), "is for other names");
    assert.equal(problem({ expires: "2026-06-11T00:00:00Z" }), "expires in 10 days: renewal fails");
    assert.equal(problem({ expires: "2026-05-31T00:00:00Z" }), "has expired");
  });

  it("is bad a month before its end, or when fewer days are left than was asked for", () => {
    const years = { issued: "2012-01-01T00:00:00Z", originCa: true };
    const due = "expires in 29 days: run `pulumi up`, which gets another";
    assert.equal(problem({ ...years, expires: "2026-06-30T12:00:00Z" }), due);
    assert.equal(problem({ ...years, expires: "2026-07-02T00:00:00Z" }), null);
    const within = (days: number) => assessCertificate("a.test", "web-1", good, now, days).problem;
    assert.deepEqual([within(61), within(62)], [null, "expires in 61 days: renewal fails"]);
  });

  it("is bad when the edge does not answer", () => {
    assert.equal(assessCertificate("a.test", "web-1", new Error("refused"), now).problem, "cannot be read: refused");
  });
});

describe("status of what Cloudflare is known by", () => {
  const now = Date.parse("2026-06-01T00:00:00Z");
  const ends = [{ what: "the CA", expires: "2026-07-11T00:00:00Z" }];

  it("is bad a month before its end, or when fewer days are left than was asked for", () => {
    const problems = (more: number, days?: number) => clientCertificateProblems(ends, now + more * 86_400_000, days);
    assert.deepEqual(problems(0), []);
    const consequence = "from then on the edge answers Cloudflare 400; see docs/cloudflare.md";
    assert.deepEqual(problems(0, 41), [`the CA: expires in 40 days; ${consequence}`]);
    assert.deepEqual(problems(11), [`the CA: expires in 29 days; ${consequence}`]);
    assert.deepEqual(problems(41), [`the CA: has expired; ${consequence}`]);
  });
});

describe("status of a schedule", () => {
  const since = "2026-03-01T12:00:00.123Z";
  const config = (name: string, labels: Record<string, string>, data = ""): RawConfig => ({
    CreatedAt: since,
    Spec: {
      Name: `shop-upkeep-${name}`,
      Labels: Object.fromEntries([
        ["berth.schedule", "shop-upkeep"],
        ...Object.entries(labels).map(([key, value]) => [`berth.schedule.${key}`, value]),
      ]) as Record<string, string>,
      Data: Buffer.from(data).toString("base64"),
    },
  });
  const plan = config("plan-0123456789ab", { cron: "30 3 * * *", zone: "Europe/Berlin" });
  const claim = (run: string) => config(run, { claim: "vm-1" });
  const over = (run: string, words: string) => config(`${run}-over`, { result: words.split(":")[0]! }, `${words}\n`);
  const assess = (now: string, ...configs: RawConfig[]) =>
    assessSchedule("upkeep", "shop-upkeep", { configs }, Date.parse(now));

  it("is good when its last run went well", () => {
    const status = assess("2026-03-02T09:00:00Z", plan, claim("20260302T0230"), over("20260302T0230", "done"));
    assert.deepEqual(status, {
      name: "upkeep",
      times: "30 3 * * * Europe/Berlin",
      lastRun: "2026-03-02T02:30Z",
      result: "done",
      problem: null,
    });
  });

  it("says why its last run failed, whatever was skipped since", () => {
    const { problem } = assess(
      "2026-03-02T09:00:00Z",
      over("20260302T0231", "skipped: shop-upkeep-20260302T0230 is under way"),
      over("20260302T0230", "failed: Failed 2 hours ago: task: non-zero exit (1)"),
      claim("20260302T0230"),
      over("20260301T0230", "done"),
      plan,
    );
    assert.equal(problem, "its run of 2026-03-02T02:30Z failed: Failed 2 hours ago: task: non-zero exit (1)");
  });

  it("misses a run five minutes after its time, in the schedule's own time zone", () => {
    const kept = [plan, claim("20260302T0230"), over("20260302T0230", "done")];
    assert.equal(assess("2026-03-03T02:34:00Z", ...kept).problem, null);
    assert.equal(assess("2026-03-03T02:35:00Z", ...kept).problem, "did not run when it was due, 2026-03-03T02:30Z");
    assert.equal(assess("2026-03-03T02:35:00Z", ...kept, claim("20260303T0230")).problem, null, "it is under way");
  });

  it("misses nothing from before it was set up", () => {
    assert.equal(assess("2026-03-01T12:30:00Z", plan).problem, null);
  });

  it("is not known when no manager answered, or nothing was set up", () => {
    assert.match(assessSchedule("upkeep", "shop-upkeep", undefined, 0).problem ?? "", /no manager/);
    assert.equal(assess("2026-03-01T12:30:00Z").problem, "is not set up on the swarm");
  });
});
