import assert from "node:assert/strict";
import type Docker from "dockerode";
import { SwarmReader } from "../../components/service/swarm-reader.ts";

const spec = (name: string) => ({
  Name: name,
  Labels: { "berth.spec": name },
  TaskTemplate: { ContainerSpec: { Image: `${name}:1` } },
});

/** A manager that answers when it is let, and notes what it was asked. */
class Manager {
  readonly asked: string[] = [];
  /** A service named like another one's beginning is there too. */
  services = ["api", "api-worker", "web"];
  hold: PromiseWithResolvers<void> | undefined;

  readonly docker = {
    listServices: async ({ filters }: { filters: { name: string[] } }) => {
      this.asked.push(`services ${filters.name.join(" ")}`);
      await this.hold?.promise;
      const found = this.services.filter((name) => filters.name.some((prefix) => name.startsWith(prefix)));
      return found.map((name) => ({ ID: `id-${name}`, Spec: spec(name) }));
    },
    listNodes: () => Promise.resolve([]),
    listTasks: ({ filters }: { filters: { service: string[] } }) => {
      this.asked.push(`tasks ${filters.service.join(" ")}`);
      return Promise.resolve(
        filters.service.map((id) => ({
          ID: `task-of-${id}`,
          ServiceID: id,
          Spec: spec(id).TaskTemplate,
          Status: { State: "running" },
        })),
      );
    },
  };

  readonly reader = new SwarmReader(() => Promise.resolve(this.docker as unknown as Docker));
}

describe("what the swarm is asked of services", () => {
  it("is asked once for all that look at the same time, and each gets its own", async () => {
    const { reader, asked } = new Manager();
    const [api, web] = await Promise.all([reader.look("api"), reader.look("web")]);
    assert.deepEqual(asked, ["services api web", "tasks id-api id-web"]);
    assert.equal(api.service.image, "api:1");
    assert.deepEqual(
      [api, web].map(({ tasks }) => tasks.map(({ id }) => id)),
      [["task-of-id-api"], ["task-of-id-web"]],
    );
  });

  it("is asked anew by who looks while it answers, once for all of those", async () => {
    const manager = new Manager();
    manager.hold = Promise.withResolvers();
    const first = manager.reader.look("api");
    while (manager.asked.length === 0) await Promise.resolve();
    const later = [manager.reader.look("api"), manager.reader.look("web")];
    manager.hold.resolve();
    await Promise.all([first, ...later]);
    const services = manager.asked.filter((one) => one.startsWith("services"));
    assert.deepEqual(services, ["services api", "services api web"]);
  });

  it("tells who looks for a service that is gone, and answers the others", async () => {
    const { reader } = new Manager();
    const [gone, web] = await Promise.allSettled([reader.look("gone"), reader.look("web")]);
    assert.match(
      String(gone.status === "rejected" && gone.reason),
      /swarm does not have it any more; `pulumi up --ref/,
    );
    assert.equal(web.status, "fulfilled");
  });

  it("is asked again after a failure", async () => {
    const manager = new Manager();
    manager.hold = Promise.withResolvers();
    manager.hold.reject(new Error("connection lost"));
    await assert.rejects(manager.reader.look("api"), /connection lost/);
    manager.hold = undefined;
    assert.equal((await manager.reader.look("api")).tasks.length, 1);
  });
});
