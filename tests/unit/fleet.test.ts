import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { renderAutolock } from "../../components/fleet/autolock.render.ts";
import { renderEngine } from "../../components/fleet/engine.render.ts";
import type { Fleet } from "../../components/fleet/fleet.ts";
import { renderMember } from "../../components/fleet/member.render.ts";
import { asRoot } from "../../components/fleet/script.ts";
import { renderSystem } from "../../components/fleet/system.render.ts";
import { commandLine } from "../../components/shared/shell.ts";
import { promiseOf, record, type Recording } from "../support/mocks.ts";
import { sampleConfig, sampleHostKey } from "../support/sample-config.ts";

const host = (changes: object = {}): Record<string, string> => ({
  "berth:hosts": JSON.stringify([
    {
      name: "vm-1",
      address: "192.0.2.10",
      publicAddress: "192.0.2.11",
      hostKey: sampleHostKey,
      labels: { edge: "true" },
      ...changes,
    },
  ]),
});

/** Three managers, the third with data, and a worker that is drained. */
const several = {
  "berth:hosts": JSON.stringify(
    [1, 2, 3, 4].map((number) => ({
      name: `vm-${number}`,
      address: `192.0.2.1${number}`,
      privateAddress: `10.0.0.${number}`,
      hostKey: sampleHostKey,
      ...(number === 1 && { labels: { edge: "true" } }),
      ...(number === 4 && { role: "worker", state: "drain" }),
    })),
  ),
  "berth:volumes": JSON.stringify({ postgres: "vm-3", redis: "vm-1", uploads: "vm-3" }),
};

async function build(
  changes: Record<string, unknown> = host(),
  use: (fleet: Fleet) => void = () => undefined,
): Promise<Recording<Fleet>> {
  const config = sampleConfig({ "berth:sshKey": "private", ...changes });
  return record(async () => {
    const { Fleet } = await import("../../components/fleet/fleet.ts");
    const fleet = new Fleet("fleet", { config, proxyRanges: [] });
    use(fleet);
    return fleet;
  });
}

describe("Fleet", () => {
  it("prepares the host, makes the swarm and points Docker at it, in this order", async () => {
    const fleet = await build();
    assert.deepEqual(fleet.names(), [
      "fleet berth:fleet:Fleet",
      "fleet-manager pulumi:providers:docker",
      "fleet-vm-1 berth:fleet:Host",
      "fleet-vm-1-access command:local:Command",
      "fleet-vm-1-engine command:remote:Command",
      "fleet-vm-1-firewall command:local:Command",
      "fleet-vm-1-swarm command:local:Command",
      "fleet-vm-1-system command:remote:Command",
    ]);
    assert.deepEqual(edges(fleet), [
      "fleet-vm-1-access < fleet-vm-1-engine",
      "fleet-vm-1-engine < fleet-vm-1-system",
      "fleet-vm-1-firewall < fleet-vm-1-swarm",
      "fleet-vm-1-swarm < fleet-manager",
      "fleet-vm-1-system < fleet-vm-1-firewall",
    ]);
    assert.deepEqual(
      ["fleet-vm-1", "fleet-vm-1-access", "fleet-vm-1-engine", "fleet-vm-1-swarm", "fleet-manager"].map(
        (name) => fleet.get(name).parent,
      ),
      ["fleet", "fleet-vm-1", "fleet-vm-1", "fleet", "fleet"],
    );
  });

  it("prepares several hosts at once, lets managers join in turn and workers as soon as there is a swarm", async () => {
    const fleet = await build(several);
    assert.deepEqual(
      edges(fleet).filter((edge) => edge.endsWith("-swarm")),
      [
        "fleet-vm-1-swarm < fleet-vm-2-swarm",
        "fleet-vm-1-swarm < fleet-vm-4-swarm",
        "fleet-vm-2-swarm < fleet-vm-3-swarm",
        // Before anyone joins, all have let each other in.
        ...[1, 2, 3, 4].flatMap((one) =>
          [1, 2, 3, 4].map((other) => `fleet-vm-${one}-firewall < fleet-vm-${other}-swarm`),
        ),
      ].toSorted(),
    );
    assert.deepEqual(fleet.get("fleet-vm-4-access").dependsOn, [], "all at once");
    const ready = await Promise.all(fleet.result.ready.map((one) => promiseOf(one.urn)));
    assert.equal(ready.length, 5);
  });

  it("shows role, state and labels of a host to a preview, and hands its script over by standard input", async () => {
    const fleet = await build(several);
    assert.deepEqual(fleet.get("fleet-vm-4").inputs, {
      address: "192.0.2.14",
      role: "worker",
      state: "drain",
      labels: {},
    });
    const host = sampleConfig(several).hosts[3]!;
    assert.deepEqual(fleet.get("fleet-vm-4-swarm").inputs, {
      create: "sh -s join",
      delete: "sh -s leave",
      stdin: renderMember({ stack: "local", host, first: false }),
      addPreviousOutputInEnv: false,
    });
  });

  it("lets no two managers update themselves at once", async () => {
    const fleet = await build(several);
    const windows = [1, 2, 3, 4].map(
      (number) =>
        /OnCalendar=\*-\*-\* (.*) UTC/.exec(fleet.get(`fleet-vm-${number}-system`).inputs["stdin"] as string)?.[1],
    );
    assert.deepEqual(windows, ["01:00", "02:00", "03:00", "04:00"]);
  });

  it("restarts no two managers within an hour of each other, nor one while another updates itself", async () => {
    const hosts = (JSON.parse(several["berth:hosts"]) as object[]).slice(0, 3);
    const more = [4, 5].map((n) => ({
      ...hosts[1],
      name: `vm-${n}`,
      address: `192.0.2.1${n}`,
      privateAddress: `10.0.0.${n}`,
    }));
    const fleet = await build({ ...several, "berth:hosts": JSON.stringify([...hosts, ...more]) });
    const minutes = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));
    const times = [1, 2, 3, 4, 5].map((number) => {
      const script = fleet.get(`fleet-vm-${number}-system`).inputs["stdin"] as string;
      const [, update = ""] = /OnCalendar=\*-\*-\* (.*) UTC/.exec(script) ?? [];
      const [, restart = ""] = /Automatic-Reboot-Time "(.*)"/.exec(script) ?? [];
      return { update: minutes(update), restart: minutes(restart) };
    });
    for (const [index, { update, restart }] of times.entries()) {
      assert.equal(restart, update + 30);
      const next = times[index + 1];
      if (next) assert.ok(next.update >= restart + 30 && next.restart >= restart + 60, `manager ${index + 2}`);
    }
  });

  it("locks what managers keep when it is asked to, and then restarts workers alone by itself", async () => {
    const fleet = await build({ ...several, "berth:swarm": '{"autolock":true}' });
    assert.deepEqual(fleet.get("fleet-autolock").inputs, {
      create: "'ssh' '-F' '.berth/local/ssh_config' 'manager.swarm' 'sh -s'",
      delete: "'ssh' '-F' '.berth/local/ssh_config' 'manager.swarm' 'docker swarm update --autolock=false'",
      stdin: renderAutolock({ host: "manager.swarm", autolock: true }),
      addPreviousOutputInEnv: false,
    });
    assert.deepEqual(
      fleet.get("fleet-autolock").dependsOn.toSorted(),
      [1, 2, 3, 4].map((number) => `fleet-vm-${number}-swarm`),
    );
    const restarts = [1, 2, 3, 4].map(
      (number) => /Automatic-Reboot "(.*)"/.exec(fleet.get(`fleet-vm-${number}-system`).inputs["stdin"] as string)?.[1],
    );
    assert.deepEqual(restarts, ["false", "false", "false", "true"]);
  });

  it("changes only whom the other hosts let in when one is added or removed", async () => {
    const before = await build(several);
    const hosts = JSON.parse(several["berth:hosts"]) as object[];
    const after = await build({ ...several, "berth:hosts": JSON.stringify(hosts.slice(0, 3)) });
    const changed = after.resources.filter((one) => {
      const { inputs } = before.get(one.name, one.type);
      return JSON.stringify(inputs) !== JSON.stringify(one.inputs);
    });
    assert.deepEqual(changed.map(({ name }) => name).toSorted(), [
      "fleet",
      ...["vm-1", "vm-2", "vm-3"].flatMap((host) => [`fleet-${host}-firewall`, `fleet-${host}-system`]),
    ]);
  });

  it("brings Docker to another version on hosts that are drained, after the swarm has left them", async () => {
    const versions = (fleet: Awaited<ReturnType<typeof build>>): string[] =>
      fleet.resources.map(({ name }) => name).filter((name) => name.endsWith("-version"));
    assert.deepEqual(versions(await build(several)), []);
    const fleet = await build({ ...several, "berth:docker": JSON.stringify({ version: "20.10.24" }) });
    assert.deepEqual(versions(fleet), ["fleet-vm-4-version"]);
    const { dependsOn, inputs } = fleet.get("fleet-vm-4-version");
    assert.deepEqual(dependsOn, ["fleet-vm-4-swarm"]);
    assert.match(inputs["stdin"] as string, /com\.docker\.swarm\.task/);
    // Others keep theirs, and nothing fails for that.
    assert.match(fleet.get("fleet-vm-1-engine").inputs["stdin"] as string, /until this host is drained/);
    const alone = await build({ ...host(), "berth:docker": JSON.stringify({ version: "20.10.24" }) });
    assert.doesNotMatch(alone.get("fleet-vm-1-engine").inputs["stdin"] as string, /until this host is drained/);
  });

  it("hands scripts over by standard input and connections as secrets", async () => {
    const fleet = await build();
    const config = sampleConfig(host());
    const [vm] = config.hosts;
    const scripts = {
      "fleet-vm-1-system": renderSystem({
        host: vm!,
        updateMinutes: 0,
        restarts: true,
        trusted: [],
        pidsLimit: 4096,
        proxy,
      }),
      "fleet-vm-1-engine": renderEngine({ host: vm!, edge: true, registry: config.registry }),
    };
    for (const [name, stdin] of Object.entries(scripts)) {
      const { inputs, secrets } = fleet.get(name);
      assert.deepEqual(inputs, {
        addPreviousOutputInEnv: false,
        connection: {
          host: "192.0.2.10",
          port: 22,
          user: "root",
          hostKey: sampleHostKey,
          privateKey: "private\n",
          dialErrorLimit: 3,
          perDialTimeout: 10,
        },
        create: "sh -s",
        stdin,
      });
      assert.ok(secrets.includes("connection") || secrets.includes("connection.privateKey"), secrets.join());
    }
  });

  it("names Docker's host and SSH files in a way that is the same on every machine, and for every manager", async () => {
    const { inputs } = (await build(several)).get("fleet-manager");
    assert.deepEqual(inputs, { host: "ssh://manager.swarm", sshOpts: '["-F",".berth/local/ssh_config"]' });
  });

  it("sends visitors to the edge hosts that are not drained", async () => {
    const visited = async (...states: string[]) => {
      const hosts = (JSON.parse(several["berth:hosts"]) as object[]).map((one, index) => ({
        ...one,
        ...(index < 2 && { labels: { edge: "true" }, state: states[index] }),
      }));
      const { result } = await build({
        "berth:hosts": JSON.stringify(hosts),
        "berth:volumes": JSON.stringify({ postgres: "vm-3", redis: "vm-3", uploads: "vm-3" }),
      });
      return [
        result.edgeHosts.length,
        ...result.edgeHosts.filter((host) => result.isVisited(host)).map(({ name }) => name),
      ];
    };
    assert.deepEqual(await visited("active", "active"), [2, "vm-1", "vm-2"]);
    assert.deepEqual(await visited("drain", "active"), [2, "vm-2"]);
    assert.deepEqual(await visited("drain", "drain"), [2, "vm-1", "vm-2"], "better than nowhere");
  });

  it("keeps a volume's tasks on its host, and makes the volume there", async () => {
    const fleet = await build(several, (built) => {
      const [postgres, uploads, redis] = ["postgres", "uploads", "redis"].map((name) => built.volume(name));
      assert.equal(postgres!.constraint, "node.labels.berth.host==vm-3");
      assert.equal(postgres!.provider, uploads!.provider, "one provider per host");
      assert.equal(redis!.constraint, "node.labels.berth.host==vm-1");
      assert.throws(() => built.volume("cache"), /no host keeps the volume "cache"/);
    });
    assert.deepEqual(fleet.get("fleet-vm-3-docker").inputs["host"], "ssh://vm-3");
    assert.deepEqual(fleet.get("fleet-vm-3-docker").dependsOn, ["fleet-vm-3-swarm"]);
  });

  it("replaces the join tokens when it is asked to, after everybody has joined", async () => {
    assert.ok(!(await build()).names().some((name) => name.startsWith("fleet-join-tokens")));
    const tokens = (await build({ ...several, "berth:swarm": '{"joinTokens":2}' })).get("fleet-join-tokens");
    assert.equal(tokens.inputs["create"], onManager("sh -s"));
    assert.equal(tokens.dependsOn.length, 4);
  });

  it("reaches whichever manager answers for a script, and to take it back", async () => {
    const fleet = await build(host(), (built) => {
      built.runOnManager("job", { script: "echo", delete: "rm 'it'" }, {});
    });
    assert.deepEqual(fleet.get("job").inputs, {
      create: onManager("sh -s"),
      stdin: "echo",
      delete: onManager("rm 'it'"),
      addPreviousOutputInEnv: false,
    });
  });

  it("says farewell on a host only when something goes", async () => {
    const fleet = await build(host(), (built) => {
      built.farewell("bye", built.edgeHosts[0]!, "thing leave", {});
    });
    const { create, delete: leave, stdin } = fleet.get("bye").inputs;
    assert.deepEqual([create, leave], [undefined, "sh -s leave"]);
    assert.match(stdin as string, /^thing leave$/m);
  });

  it("sets up managers alone, as root, and takes it away from one that is a manager no more", async () => {
    const placed = join(mkdtempSync(join(tmpdir(), "berth-managers-")), "it");
    const body = `main() { echo text | place ${placed}; }`;
    const fleet = await build(several, (built) => {
      built.onManagers("timer", { concern: "schedule", body, undo: "/it remove" }, {});
    });
    const names = fleet.names().filter((name) => name.startsWith("timer-"));
    const kinds = [" command:remote:Command", "-farewell command:local:Command"];
    assert.deepEqual(
      names,
      ["vm-1", "vm-2", "vm-3"].flatMap((manager) => kinds.map((kind) => `timer-${manager}${kind}`)),
    );
    const script = fleet.get("timer-vm-1").inputs["stdin"] as string;
    assert.match(script, /^# Managed by berth: schedule of vm-1\./);
    execFileSync("sh", ["-s"], { input: script });
    assert.equal(readFileSync(placed, "utf8"), "text\n");
    rmSync(dirname(placed), { recursive: true });
    assert.match(fleet.get("timer-vm-1-farewell").inputs["stdin"] as string, /^\/it remove$/m);
    const deploy = await build(host({ user: "deploy" }), (built) => {
      built.onManagers("timer", { concern: "schedule", body: "main() { :; }", undo: "/it remove" }, {});
    });
    assert.match(deploy.get("timer-vm-1").inputs["stdin"] as string, /^exec sudo -n sh -s <</m);
    assert.match(deploy.get("timer-vm-1-farewell").inputs["stdin"] as string, /^sudo -n \/it remove$/m);
  });

  it("asks for root's rights inside of the script when the user is another", async () => {
    const fleet = await build(host({ user: "deploy" }));
    const { create, stdin } = fleet.get("fleet-vm-1-system").inputs;
    assert.equal(create, "sh -s");
    const script = renderSystem({
      host: { name: "vm-1" },
      updateMinutes: 0,
      restarts: true,
      trusted: [],
      pidsLimit: 4096,
      proxy,
    });
    assert.equal(stdin, asRoot({ name: "vm-1", user: "deploy" }, script));
  });
});

const onManager = (command: string): string =>
  commandLine(["ssh", "-F", ".berth/local/ssh_config", "manager.swarm", command]);

const proxy = { api: undefined, proxyRanges: [] };

function edges({ resources }: Recording<unknown>): string[] {
  return resources.flatMap((one) => one.dependsOn.map((before) => `${before} < ${one.name}`)).toSorted();
}
