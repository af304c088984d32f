import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configure } from "../../lab/plugins/docker/client.ts";
import { formatDuration, parseDuration } from "../../lab/plugins/docker/duration.ts";
import { sshCommand } from "../../lab/plugins/docker/docker-api.ts";
import { authFor, encodeAuth, registryAuths } from "../../lab/plugins/docker/registry-auth.ts";
import { network } from "../../lab/plugins/docker/network.ts";
import { secret } from "../../lab/plugins/docker/secret.ts";
import { service } from "../../lab/plugins/docker/service.ts";
import { withTag } from "../../lab/plugins/docker/service-spec.ts";
import { volume } from "../../lab/plugins/docker/volume.ts";

const context = { urn: "urn:pulumi:test::test::docker:index/x:X::thing", olds: {}, randomSeed: new Uint8Array(32) };

describe("the docker stand-in", () => {
  describe("refuses with the path", () => {
    const container = (properties: object) => ({ taskSpec: { containerSpec: { image: "a", ...properties } } });
    const refused: [typeof service, Record<string, unknown>, string, RegExp][] = [
      [network, { ipamConfigs: [{ subnett: "10.0.0.0/8" }] }, "ipamConfigs[0].subnett", /unknown property/],
      [network, { attachable: "yes" }, "attachable", /expected a boolean, got a string/],
      [service, container({ healthcheck: { test: [] } }), "taskSpec.containerSpec.healthcheck.test", /unknown/],
      [service, container({ secrets: [{ secretId: "s" }] }), "taskSpec.containerSpec.secrets[0].fileName", /missing/],
      [service, container({ stopGracePeriod: "1 minute" }), "taskSpec.containerSpec.stopGracePeriod", /1m30s/],
      [service, container({ env: { A: 1 } }), "taskSpec.containerSpec.env", /expected a map of strings/],
      [service, container({ privileges: {} }), "taskSpec.containerSpec.privileges", /empty block crashes/],
      [service, { ...container({}), convergeConfig: {} }, "convergeConfig", /not part of the stand-in/],
      [service, { ...container({}), mode: { global: true, replicated: {} } }, "mode.global", /conflicts/],
      [volume, { cluster: {} }, "cluster", /not part of the stand-in/],
    ];
    for (const [type, inputs, property, reason] of refused) {
      it(property, () => {
        const { failures } = type.check(inputs, context);
        assert.deepEqual(
          failures.map((failure) => failure.property),
          [property],
        );
        assert.match(failures[0]!.reason, reason);
      });
    }

    it("never repeats a secret's data", () => {
      const { failures } = secret.check({ data: "not base64!" }, context);
      assert.doesNotMatch(JSON.stringify(failures), /not base64!/);
    });
  });

  describe("as a provider", () => {
    it("refuses TLS material, and a host of an unknown kind", async () => {
      await assert.rejects(configure({ certPath: "/certs" }, {}), /certPath: TLS .* use an ssh:\/\/ host/);
      await assert.rejects(configure({ host: "npipe:////./pipe/docker" }, {}), /host: expected ssh:\/\/, unix:\/\/ or/);
    });

    it("fails at once when a local daemon does not answer, but not when a remote one does not", async () => {
      await assert.rejects(configure({ host: "unix:///nowhere.sock" }, {}), /unix:\/\/\/nowhere\.sock is reachable/);
      await configure({ host: "unix:///nowhere.sock", disableDockerDaemonCheck: "true" }, {});
      await configure({ host: "ssh://nowhere" }, {});
      await configure({}, { DOCKER_HOST: "ssh://nowhere" });
    });

    it("takes lists in the form in which the SDK sends them, and hides one that is broken", async () => {
      await configure(
        { host: "ssh://a", sshOpts: '["-F","x"]', registryAuth: '[{"address":"r.test","username":"u"}]' },
        {},
      );
      await assert.rejects(configure({ host: "ssh://a", registryAuth: "pass word" }, {}), (error: Error) => {
        assert.doesNotMatch(error.message, /pass word/);
        return true;
      });
    });

    it("builds ssh's argument list as Docker does", () => {
      const command = (url: string, ...options: string[]) => sshCommand(new URL(url), options).join(" ");
      assert.equal(command("ssh://web-1"), "ssh -o ConnectTimeout=30 -T -- web-1 docker system dial-stdio");
      assert.equal(
        command("ssh://me@web-1:22/run/d.sock", "-oConnectTimeout=5", "-T"),
        "ssh -l me -p 22 -oConnectTimeout=5 -T -- web-1 docker --host=unix:///run/d.sock system dial-stdio",
      );
      assert.throws(() => command("ssh://me:secret@web-1"), /password is not supported/);
    });
  });

  describe("for registries", () => {
    const address = "registry.test";
    const auth = { username: "u", password: "p", serveraddress: "https://registry.test" };

    it("takes credentials from the arguments, the environment, a file's content or a file", () => {
      const config = JSON.stringify({
        auths: { "https://registry.test/": { auth: Buffer.from("u:p").toString("base64") } },
      });
      const directory = mkdtempSync(join(tmpdir(), "berth-docker-config-"));
      try {
        writeFileSync(join(directory, "config.json"), config);
        const sources: [object, Record<string, string>][] = [
          [{ username: "u", password: "p" }, {}],
          [{}, { DOCKER_REGISTRY_USER: "u", DOCKER_REGISTRY_PASS: "p" }],
          [{ configFileContent: config }, {}],
          [{ configFile: join(directory, "config.json") }, {}],
          [{}, { DOCKER_CONFIG: directory }],
        ];
        for (const [given, env] of sources) {
          assert.deepEqual(registryAuths([{ address, ...given }], env).get("registry.test"), auth);
        }
      } finally {
        rmSync(directory, { recursive: true });
      }
    });

    it("says what it misses: a file that is not there, a credential helper", () => {
      const missing = () => registryAuths([{ address, configFile: "/nowhere.json" }], {});
      assert.throws(missing, /could not open config file from filePath: \/nowhere\.json/);
      const helper = JSON.stringify({ credHelpers: { "registry.test": "ecr" } });
      assert.throws(() => registryAuths([{ address, configFileContent: helper }], {}), /credential helper/);
    });

    it("matches what stands before the first slash of an image's name", () => {
      const auths = registryAuths(
        ["registry.test:5000", "docker.io"].map((host) => ({ address: host, username: host })),
        {},
      );
      const user = (image: string) => authFor(image, auths).username;
      assert.deepEqual(
        ["registry.test:5000/a/b:1", "registry.test/a", "index.docker.io/library/a", "a:1", "me/a"].map(user),
        ["registry.test:5000", undefined, "docker.io", undefined, undefined],
      );
    });

    it("encodes them with the padding that the daemon wants", () => {
      assert.equal(encodeAuth({}), "e30=");
      assert.equal(encodeAuth({ password: "??>" }), "eyJwYXNzd29yZCI6Ij8_PiJ9");
    });
  });

  it("reads and writes durations as Go does, less the zeros at the end", () => {
    const forms: [string, string][] = [
      ["0", "0s"],
      ["90s", "1m30s"],
      ["60s", "1m"],
      ["1h0m0s", "1h"],
      ["3605s", "1h0m5s"],
      ["1.5s", "1.5s"],
      ["1500ms", "1.5s"],
      ["250ms", "250ms"],
      ["10us", "10µs"],
      ["5ns", "5ns"],
    ];
    for (const [given, form] of forms) assert.equal(formatDuration(parseDuration(given)!), form);
    for (const wrong of ["", "5", "1 s", "s", "1d"]) assert.equal(parseDuration(wrong), undefined);
  });

  it("shortens image names, and adds the tag that none means", () => {
    const names: [string, string][] = [
      ["nginx", "nginx:latest"],
      ["docker.io/library/nginx:1", "nginx:1"],
      ["registry.test:5000/api", "registry.test:5000/api:latest"],
      ["registry.test/api@sha256:a", "registry.test/api@sha256:a"],
      ["registry.test/api:1@sha256:a", "registry.test/api:1@sha256:a"],
    ];
    for (const [given, sent] of names) assert.equal(withTag(given), sent);
  });
});
