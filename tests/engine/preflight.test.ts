import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePorts } from "../../lab/state.ts";
import { PulumiProject } from "../support/pulumi.ts";
import { sampleRaw } from "../support/sample-config.ts";
import { startSshd, type Sshd } from "../support/sshd.ts";

/* The whole program against machines that a real ssh cannot use, each for another reason. */

const root = join(import.meta.dirname, "../..");

describe("pulumi up, with hosts that cannot be used", () => {
  const servers: Sshd[] = [];
  let project: PulumiProject;

  before(async () => {
    project = await PulumiProject.create({
      program: `await import(${JSON.stringify(join(root, "index.ts"))});`,
      dependencies: ["@pulumi/cloudflare", "@pulumi/command", "@pulumi/docker", "@pulumi/random"],
    });
    servers.push(...(await Promise.all([startSshd(), startSshd(), startSshd()])));
  });
  after(async () => {
    await Promise.all(servers.map(async (server) => server.stop()));
    await rm(join(project.directory, ".berth"), { recursive: true, force: true });
    await project.remove();
  });

  it("names every one of them with its key, and changes nothing", async () => {
    const [small, stranger, other] = servers;
    const [closed = 0] = await freePorts(1);
    const at = (name: string, server: Pick<Sshd, "port" | "hostKey" | "user">, number: number, more: object = {}) => ({
      name,
      address: "127.0.0.1",
      port: server.port,
      user: server.user,
      hostKey: server.hostKey,
      privateAddress: `192.0.2.${number}`,
      role: number > 3 ? "worker" : "manager",
      ...more,
    });
    const hosts = [
      at("small", small!, 1, { memory: "100000 GB", labels: { edge: "true" } }),
      at("stranger", stranger!, 2),
      at("other", { ...other!, hostKey: small!.hostKey }, 3),
      at("closed", { ...other!, port: closed }, 4),
    ];
    const volumes = { postgres: "small", redis: "small", uploads: "small" };
    const { values } = sampleRaw({ "berth:hosts": hosts, "berth:volumes": volumes });
    const plain = Object.entries(values).filter(([key]) => key.startsWith("berth:"));
    const config = plain.map(([key, value]): [string, unknown] => [
      key,
      typeof value === "string" && value.startsWith("{") ? JSON.parse(value) : value,
    ]);
    await project.write(`Pulumi.${project.stack}.yaml`, stringify({ config: Object.fromEntries(config) }));
    const secrets = ["--secret", "palmistry:OPENAI_API_KEY=sk-test", "--secret", `berth:sshKey=${small!.privateKey}`];
    assert.equal((await project.run("config", "set-all", ...secrets)).code, 0);

    const { code, stdout, stderr } = await project.up();
    const said = stdout + stderr;
    assert.notEqual(code, 0, said);
    for (const line of [
      /the hosts of stack "t\w+" have \d problems; nothing was changed:/,
      /berth:hosts\[0\]\.memory: host small has less memory than the stack file says, got .* for 100000 GB; write/,
      /berth:hosts\[0\]\.privateAddress: host small does not have this address, got 192\.0\.2\.1, it has /,
      /berth:hosts\[1\]\.user: host stranger does not let \w+ in with the SSH key in use, got ".*Permission denied/,
      /berth:hosts\[2\]\.hostKey: host other shows another host key than the pinned one, got SHA256:\S+ for SHA256:/,
      /berth:hosts\[3\]\.port: host closed cannot be reached by SSH, got 127\.0\.0\.1 port \d+ \(".*refused/,
    ]) {
      assert.match(said, line);
    }
    assert.doesNotMatch(said, /PRIVATE KEY/);
    assert.equal(await project.resource("fleet"), undefined);
    assert.equal(await project.resource("fleet-small-access"), undefined);
  });
});
