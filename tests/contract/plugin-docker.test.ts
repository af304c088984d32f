import assert from "node:assert/strict";
import type { Provider } from "../support/provider.ts";
import { FakeDaemon } from "./plugin-docker.daemon.ts";

/*
 * What the docker plugin accepts, fills in and calls a change, and how it speaks to a daemon. The official plugin and
 * the stand-in have to agree; `LAB_PLUGINS` chooses between them. Neither needs Docker for this.
 */

const network = "docker:index/network:Network";
const volume = "docker:index/volume:Volume";
const secret = "docker:index/secret:Secret";
const config = "docker:index/serviceConfig:ServiceConfig";
const service = "docker:index/service:Service";

type Properties = Record<string, unknown>;

const image = "registry.test/api:1.0.0@sha256:d0ccec736c30fe825c62f22727514fcbbc813a04883fc91097dba3a8840576f8";
const host = "ssh://deploy@web-1:2222";

/** A service of the usual kind, `container` and `task` laid over it. */
function api(container: Properties = {}, task: Properties = {}, top: Properties = {}): Properties {
  return {
    name: "api",
    labels: [{ label: "release", value: "1" }],
    mode: { replicated: { replicas: 2 } },
    endpointSpec: { mode: "dnsrr" },
    updateConfig: { parallelism: 0, monitor: "1m30s", maxFailureRatio: "0.5", order: "start-first" },
    ...top,
    taskSpec: {
      containerSpec: {
        image,
        env: { A: "1" },
        stopGracePeriod: "30s",
        secrets: [{ secretId: "s1", secretName: "password-1", fileName: "password" }],
        ...container,
      },
      networksAdvanceds: [{ id: "n1", aliases: ["api"] }],
      restartPolicy: { condition: "any", delay: "1s", window: "0s" },
      ...task,
    },
  };
}

describe("the docker plugin", function () {
  this.timeout(60_000);
  let daemon: FakeDaemon;
  let plugin: Provider;

  before(async () => {
    daemon = new FakeDaemon();
    await daemon.start();
    plugin = await daemon.plugin({ host, sshOpts: ["-F", "ssh_config"] });
  });
  after(() => daemon.stop());

  describe("checking", () => {
    const refused: [string, string, Properties, RegExp][] = [
      ["an unknown property", network, { diver: "overlay" }, /diver/],
      ["an unknown property inside", network, { ipamConfigs: [{ subnett: "10.0.0.0/8" }] }, /ipamConfigs/],
      ["an unknown property deep inside", service, api({ healthcheck: { retrys: 3 } }), /healthcheck/],
      ["a secret without data", secret, {}, /data/],
      ["a secret that is not base64", secret, { data: "%%%" }, /data/],
      ["a config with two contents", config, { data: "aGk=", dataRaw: "hi" }, /data/],
      ["a config without content", config, {}, /data/],
      ["a service without a task", service, { name: "api" }, /taskSpec/],
      ["a task without an image", service, { taskSpec: { containerSpec: {} } }, /image/],
      ["a duration that is none", service, api({ stopGracePeriod: "30 seconds" }), /stopGracePeriod/],
      ["a negative number of replicas", service, api({}, {}, { mode: { replicated: { replicas: -1 } } }), /replicas/],
      ["an order that is none", service, api({}, {}, { updateConfig: { order: "both" } }), /order/],
      ["a ratio above one", service, api({}, {}, { updateConfig: { maxFailureRatio: "1.5" } }), /maxFailureRatio/],
      ["a mount of an unknown type", service, api({ mounts: [{ type: "nfs", target: "/data" }] }), /mounts/],
      ["a secret without a file", service, api({ secrets: [{ secretId: "s1" }] }), /file_?name/i],
    ];
    for (const [what, type, inputs, message] of refused) {
      it(`rejects ${what}`, async () => {
        const { failures } = await plugin.check(type, inputs);
        assert.match(failures.join("\n"), message);
      });
    }

    it("names what the program does not: its Pulumi name and seven hex digits", async () => {
      for (const [type, inputs] of [
        [network, {}],
        [volume, {}],
        [secret, { data: "aGk=" }],
        [config, { data: "aGk=" }],
        [service, { taskSpec: { containerSpec: { image } } }],
      ] as const) {
        const checked = await plugin.check(type, inputs);
        assert.deepEqual(checked.failures, []);
        assert.match(String(checked.inputs["name"]), /^thing-[0-9a-f]{7}$/);
      }
    });

    it("keeps a name, whoever gave it", async () => {
      const first = (await plugin.check(secret, { data: "aGk=" })).inputs;
      assert.equal((await plugin.check(secret, { data: "aG8=" }, first)).inputs["name"], first["name"]);
      const named = (await plugin.check(secret, { name: "mine", data: "aGk=" })).inputs;
      assert.equal((await plugin.check(secret, { data: "aGk=" }, named)).inputs["name"], "mine");
    });

    it("fills in the defaults that mean something, and notes which", async () => {
      const { inputs } = await plugin.check(service, api({ healthcheck: { tests: ["NONE"] } }));
      const { updateConfig, taskSpec } = inputs as { updateConfig: unknown; taskSpec: { containerSpec: Properties } };
      assert.deepEqual(updateConfig, {
        __defaults: ["delay", "failureAction"],
        parallelism: 0,
        monitor: "1m30s",
        maxFailureRatio: "0.5",
        order: "start-first",
        delay: "0s",
        failureAction: "pause",
      });
      assert.deepEqual(taskSpec.containerSpec["healthcheck"], {
        __defaults: ["interval", "startPeriod", "timeout"],
        tests: ["NONE"],
        interval: "0s",
        timeout: "0s",
        startPeriod: "0s",
      });
      assert.deepEqual(taskSpec.containerSpec["secrets"], [
        {
          __defaults: ["fileGid", "fileMode", "fileUid"],
          secretId: "s1",
          secretName: "password-1",
          fileName: "password",
          fileUid: "0",
          fileGid: "0",
          fileMode: 0o444,
        },
      ]);
    });
  });

  describe("comparing a service", () => {
    /** What is read of `api()`. */
    let read: Properties;
    before(async () => {
      const fresh = new FakeDaemon();
      await fresh.start();
      try {
        const reading = await fresh.plugin({ host: `unix://${fresh.socket}` });
        const { inputs } = await reading.check(service, api());
        const created = await reading.create(service, inputs);
        read = (await reading.read(service, created, inputs))!.outputs;
        // The official plugin's own fingerprint of the state: what is changed below no longer fits it.
        delete read["__pulumi_raw_state_delta"];
      } finally {
        await fresh.stop();
      }
    });
    /** What is read, with one value that is another. */
    const readWith = (path: string, value: unknown): Properties => {
      const state = structuredClone(read);
      const names = path.split(".");
      const last = names.pop()!;
      names.reduce((inner, name) => inner[name] as Properties, state)[last] = value;
      return state;
    };
    const compare = async (program: Properties, olds: Properties = read) => {
      const oldInputs = (await plugin.check(service, api())).inputs;
      const { inputs, failures } = await plugin.check(service, program, oldInputs);
      assert.deepEqual(failures, []);
      const diff = await plugin.diff(service, { id: "abc", olds, oldInputs, news: inputs });
      return { ...diff, paths: Object.keys(diff.detailed).sort() };
    };

    it("finds no change in the same program, nor in what only the daemon filled in", async () => {
      assert.equal((await compare(api())).changes, "none");
    });

    const secrets = [{ secretId: "s2", secretName: "password-2", fileName: "password" }];
    const secretPath = "taskSpec.containerSpec.secrets[0]";
    const inPlace: [string, Properties, string[]][] = [
      ["image", api({ image: image.replace("1.0.0", "1.1.0") }), ["taskSpec.containerSpec.image"]],
      ["variable", api({ env: { A: "2" } }), ["taskSpec.containerSpec.env.A"]],
      ["second variable", api({ env: { A: "1", B: "2" } }), ["taskSpec.containerSpec.env.B"]],
      ["secret", api({ secrets }), [`${secretPath}.secretId`, `${secretPath}.secretName`]],
      ["stop grace period", api({ stopGracePeriod: "10s" }), ["taskSpec.containerSpec.stopGracePeriod"]],
      ["number of replicas", api({}, {}, { mode: { replicated: { replicas: 3 } } }), ["mode.replicated.replicas"]],
      ["label of its own", api({}, {}, { labels: [{ label: "release", value: "2" }] }), ["labels[0].value"]],
      ["memory limit", api({}, { resources: { limits: { memoryBytes: 1e8 } } }), ["taskSpec.resources.limits"]],
    ];
    for (const [what, program, paths] of inPlace) {
      it(`changes a ${what} in place`, async () => {
        const diff = await compare(program);
        assert.deepEqual([diff.changes, diff.replaces, diff.paths], ["some", [], paths]);
      });
    }

    const networks = [{ id: "n1", aliases: ["api"] }];
    const replacing: [string, Properties][] = [
      ["name", api({}, {}, { name: "web" })],
      ["added network", api({}, { networksAdvanceds: [...networks, { id: "n2", aliases: ["api"] }] })],
      ["alias", api({}, { networksAdvanceds: [{ id: "n1", aliases: ["api", "web"] }] })],
      ["network given by name", api({}, { networksAdvanceds: [{ name: "backend", aliases: ["api"] }] })],
      ["label of its containers", api({ labels: [{ label: "release", value: "1" }] })],
      ["line in its hosts file", api({ hosts: [{ host: "db", ip: "10.0.0.1" }] })],
      ["kernel setting", api({ sysctl: { "net.core.somaxconn": "1024" } })],
      ["password for its registry", api({}, {}, { auth: { serverAddress: "registry.test", password: "x" } })],
    ];
    for (const [what, program] of replacing) {
      it(`replaces a service for another ${what}, and deletes a named one first`, async () => {
        const diff = await compare(program);
        assert.notDeepEqual(diff.replaces, []);
        assert.equal(diff.deleteBeforeReplace, true);
      });
    }

    it("creates the replacement first where the provider made the name", async () => {
      const { name: _, ...unnamed } = api();
      const oldInputs = (await plugin.check(service, unnamed)).inputs;
      const olds = { ...read, name: oldInputs["name"] };
      const program = { ...unnamed, taskSpec: api({ sysctl: { a: "1" } })["taskSpec"] };
      const news = (await plugin.check(service, program, oldInputs)).inputs;
      const diff = await plugin.diff(service, { id: "abc", olds, oldInputs, news });
      assert.deepEqual([diff.replaces, diff.deleteBeforeReplace], [["taskSpec"], false]);
    });

    const traps: [string, Properties, string, unknown][] = [
      [
        "a duration in another form",
        api({ stopGracePeriod: "90s" }),
        "taskSpec.containerSpec.stopGracePeriod",
        "1m30s",
      ],
      [
        "a ratio with two decimals",
        api(
          {},
          {},
          { updateConfig: { parallelism: 0, monitor: "1m30s", maxFailureRatio: "0.25", order: "start-first" } },
        ),
        "updateConfig.maxFailureRatio",
        "0.2",
      ],
      [
        "an image without a tag",
        api({ image: "registry.test/api" }),
        "taskSpec.containerSpec.image",
        "registry.test/api:latest",
      ],
      [
        "a restart policy without a window",
        api({}, { restartPolicy: { condition: "any", delay: "1s" } }),
        "taskSpec.restartPolicy.window",
        "0s",
      ],
      [
        "a placement without the platforms that were read",
        api({}, { placement: { maxReplicas: 0 } }),
        "taskSpec.placement.platforms",
        [{ architecture: "amd64", os: "linux" }],
      ],
    ];
    for (const [what, program, path, value] of traps) {
      it(`takes ${what} for a change on every run`, async () => {
        assert.deepEqual((await compare(program, readWith(path, value))).paths, [path]);
      });
    }

    it("keeps what it read where the program says nothing of a computed property any more", async () => {
      const bare = api() as { taskSpec: { containerSpec: Properties } };
      delete bare.taskSpec.containerSpec["stopGracePeriod"];
      assert.equal((await compare(bare)).changes, "none");
    });
  });

  describe("comparing the others", () => {
    const compare = async (type: string, before: Properties, after: Properties, read: Properties = {}) => {
      const oldInputs = (await plugin.check(type, before)).inputs;
      const { __defaults: _, ...given } = oldInputs;
      const news = (await plugin.check(type, after, oldInputs)).inputs;
      return plugin.diff(type, { id: "x", olds: { id: "x", ...given, ...read }, oldInputs, news });
    };

    it("replaces a secret for new data: an unnamed one after, a named one before it is gone", async () => {
      const unnamed = await compare(secret, { data: "aGk=" }, { data: "aG8=" });
      assert.deepEqual([unnamed.replaces, unnamed.deleteBeforeReplace], [["data"], false]);
      const named = await compare(secret, { name: "a", data: "aGk=" }, { name: "b", data: "aG8=" });
      assert.deepEqual([[...named.replaces].sort(), named.deleteBeforeReplace], [["data", "name"], true]);
    });

    it("replaces a network for everything, and for options that only the daemon knows", async () => {
      const read = { options: { encrypted: "", "com.docker.network.driver.overlay.vxlanid_list": "4097" } };
      const overlay = { driver: "overlay", options: { encrypted: "" } };
      assert.ok((await compare(network, overlay, overlay, read)).replaces.includes("options"));
      const bare = { driver: "overlay" };
      assert.equal((await compare(network, bare, bare, read)).changes, "none");
      const attachable = await compare(network, bare, { ...bare, attachable: true }, read);
      assert.ok(attachable.replaces.includes("attachable"));
    });

    it("replaces a volume for another label", async () => {
      const labels = [{ label: "a", value: "1" }];
      assert.ok((await compare(volume, { name: "data" }, { name: "data", labels })).replaces.includes("labels"));
    });
  });

  describe("reaching a daemon", () => {
    it("runs ssh with Docker's own arguments, and not before the first resource", async () => {
      const fresh = new FakeDaemon();
      await fresh.start();
      try {
        const reaching = await fresh.plugin({ host, sshOpts: ["-F", "ssh_config"] });
        assert.deepEqual(fresh.sshCalls(), []);
        const created = await reaching.create(volume, (await reaching.check(volume, { name: "data" })).inputs);
        assert.equal(created.outputs["mountpoint"], "/there");
        const command = ["-l", "deploy", "-p", "2222", "-F", "ssh_config", "-o ConnectTimeout=30", "-T", "--", "web-1"];
        assert.deepEqual(fresh.sshCalls()[0], [...command, "docker system dial-stdio"]);
      } finally {
        await fresh.stop();
      }
    });

    it("says what ssh said when the host cannot be reached", async () => {
      const unreached = await daemon.plugin({ host: "ssh://closed" });
      const { inputs } = await unreached.check(volume, { name: "data" });
      await assert.rejects(unreached.create(volume, inputs), (error: Error) => {
        assert.match(error.message, /ssh:\/\/closed is reachable/);
        assert.match(error.message, /connect to host closed port 22: Connection refused/);
        return true;
      });
    });

    it("speaks to a socket too", async () => {
      const local = await daemon.plugin({ host: `unix://${daemon.socket}` });
      const created = await local.create(volume, (await local.check(volume, { name: "data" })).inputs);
      assert.equal(created.id, "data");
    });
  });

  describe("sending a service", () => {
    const registryAuth = [
      { address: "registry.test", username: "deploy", password: "for registry.test" },
      { address: "https://other.test", username: "deploy", password: "for other.test" },
    ];
    const sent = async (inputs: Properties) => {
      const fresh = new FakeDaemon();
      await fresh.start();
      try {
        fresh.distribution = {
          Descriptor: { digest: `sha256:${"a".repeat(64)}` },
          Platforms: [{ architecture: "amd64", os: "linux" }],
        };
        const sending = await fresh.plugin({ host: `unix://${fresh.socket}`, registryAuth });
        const created = await sending.create(service, inputs);
        await sending.update(service, created, inputs, { ...inputs, labels: [{ label: "release", value: "2" }] });
        const [create] = fresh.called("POST", "/services/create");
        const [update] = fresh.called("POST", "/services/abc/update");
        return { create: create!, update: update!, questions: fresh.called("GET", "/distribution/") };
      } finally {
        await fresh.stop();
      }
    };
    const auth = (header: unknown) => JSON.parse(Buffer.from(String(header), "base64url").toString()) as unknown;
    const programs = {
      tagged: api({ image: "registry.test/api:1.0.0" }),
      bare: { name: "api", taskSpec: { containerSpec: { image }, restartPolicy: { condition: "any" } } },
      foreign: api({ image: "third.test/api:1" }),
    };
    let calls: Record<keyof typeof programs, Awaited<ReturnType<typeof sent>>>;
    before(async () => {
      // At once, because each of them waits for seconds in the provider's own rhythm.
      const all = Object.entries(programs).map(async ([name, program]) => {
        return [name, await sent((await plugin.check(service, program)).inputs)] as const;
      });
      calls = Object.fromEntries(await Promise.all(all)) as typeof calls;
    });

    it("pins a tag and the platforms at creation only, with the credentials of the image's registry", () => {
      const { create, update, questions } = calls.tagged;
      const task = (call: { body: unknown }) =>
        (call.body as { TaskTemplate: { ContainerSpec: Properties; Placement: Properties } }).TaskTemplate;
      assert.deepEqual(
        questions.map(({ path }) => path),
        ["/distribution/registry.test/api:1.0.0/json"],
      );
      assert.equal(task(create).ContainerSpec["Image"], `registry.test/api:1.0.0@sha256:${"a".repeat(64)}`);
      assert.deepEqual(task(create).Placement["Platforms"], [{ Architecture: "amd64", OS: "linux" }]);
      assert.equal(task(update).ContainerSpec["Image"], "registry.test/api:1.0.0");
      const wanted = { username: "deploy", password: "for registry.test", serveraddress: "https://registry.test" };
      for (const call of [questions[0]!, create, update]) {
        assert.deepEqual(auth(call.headers["x-registry-auth"]), wanted);
      }
      assert.equal(new URL(update.path, "http://daemon").searchParams.get("version"), "7");
    });

    it("sends zeros for what is not set: killed at once, restarted at once, without init", () => {
      const { TaskTemplate } = calls.bare.create.body as {
        TaskTemplate: { ContainerSpec: Properties; RestartPolicy: Properties };
      };
      const { StopGracePeriod, Init } = TaskTemplate.ContainerSpec;
      assert.deepEqual([StopGracePeriod, Init, TaskTemplate.RestartPolicy["Delay"]], [0, false, 0]);
    });

    it("tells no registry anything about another", () => {
      assert.deepEqual(auth(calls.foreign.create.headers["x-registry-auth"]), {});
    });
  });
});
