import assert from "node:assert/strict";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import type { Firewall } from "../../components/config/firewall.ts";
import { connection } from "../../components/fleet/connection.ts";
import { dockerApi } from "../../components/fleet/docker-api.ts";
import { renderGuarded } from "../../components/fleet/guarded.render.ts";
import { hostConcerns } from "../../components/fleet/host.render.ts";
import { sshConfigPath } from "../../components/fleet/ssh.render.ts";
import { ensureSshKey } from "../../lab/hosts.ts";
import { deepProblems, readDeep } from "../../operations/deep.ts";
import { dockerThroughSsh, hostsOf } from "../../operations/hosts.ts";
import { main } from "../../operations/main.ts";
import { readStackFile } from "../../operations/stack-file.ts";
import { LabHost } from "../support/lab-host.ts";
import { promiseOf } from "../support/mocks.ts";
import { concernsOf, prepareHost } from "../support/prepare-host.ts";
import { startChosen, type Provider } from "../support/provider.ts";
import { newSshKey } from "../support/ssh-key.ts";

describe("a host that only a jump host reaches", function () {
  this.timeout(900_000);
  let bastion: LabHost;
  let target: LabHost;
  let key: string;
  let jump: { name: string; address: string; port: number; user: string; hostKey: string };
  const plugins: Provider[] = [];

  before(async () => {
    const [first, second] = await LabHost.startSeveral(2);
    bastion = first!;
    key = await readFile(await ensureSshKey(bastion.lab, () => undefined), "utf8");
    // Somebody without any right, and with the key that berth has.
    await bastion.inside("useradd", "--create-home", "jump");
    await bastion.inside("sh", "-c", "cp -r /root/.ssh /home/jump/ && chown -R jump:jump /home/jump/.ssh");
    // Where Pulumi runs is the gateway of the lab's network: no answer finds the way there any more.
    await second!.inside("ip", "route", "add", "prohibit", `${bastion.address.replace(/\d+$/, "1")}/32`);
    const { port, hostKey = "" } = bastion.host;
    jump = { name: "bastion", address: "127.0.0.1", port, user: "jump", hostKey };
    target = await second!.reachedAs({ address: second!.address, port: 22, jump });
    await writeStackFile({});
  });
  after(async () => {
    for (const plugin of plugins) await plugin.stop();
    await bastion.remove();
  });

  const ref = () => ({ root: target.root, stack: target.stack });
  const writeStackFile = async (changes: object): Promise<void> => {
    const { jump: _, ...host } = target.host;
    const { name: __, ...way } = jump;
    const config = {
      "berth:environment": "production",
      "berth:hosts": [{ ...host, jump: "bastion", publicAddress: "198.18.0.1", ...changes }],
      "berth:jumpHosts": { bastion: way },
      "berth:registry": { address: "registry.test:5000" },
      "berth:cloudflare": "none",
      "berth:acme": { email: "operations@palmistry.test", agreeToTerms: true },
      "berth:sshKey": { secure: "sealed" },
    };
    await writeFile(join(target.root, "Pulumi.one.yaml"), stringify({ config }));
  };
  const plugin = async (name: string, config: Record<string, unknown>): Promise<Provider> => {
    const started = await startChosen(name, config, { SSH_AUTH_SOCK: "" }, target.root);
    plugins.push(started);
    return started;
  };
  /** The connection of a command resource in clear. */
  const commandConnection = async (host = target.host) => {
    const { privateKey: _, proxy, ...rest } = connection(host, key);
    const { privateKey: __, ...way } = await promiseOf(pulumi.output(proxy!));
    return { ...(rest as object), privateKey: key, proxy: { ...way, privateKey: key } };
  };

  it("does not answer past it", async () => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(22, target.address).setTimeout(3000, () => {
        resolve("silent");
        socket.destroy();
      });
      socket.once("connect", () => {
        resolve("connected");
        socket.destroy();
      });
      socket.once("error", (error) => {
        resolve(error.message);
      });
    });
    assert.notEqual(answer, "connected");
  });

  it("gives its key for the stack file through it", async () => {
    let printed = "";
    await mkdir(join(target.root, "bin"), { recursive: true });
    const pulumi = join(target.root, "bin/pulumi");
    await writeFile(pulumi, `#!/bin/sh\ncat <<'END'\n${JSON.stringify({ value: key })}\nEND\n`);
    await chmod(pulumi, 0o755);
    const path = process.env["PATH"];
    process.env["PATH"] = `${join(target.root, "bin")}:${path ?? ""}`;
    try {
      const code = await main(["host-key", target.address, "--stack", "one", "--jump", "bastion"], {
        root: target.root,
        print: (text) => (printed += text),
        note: (text) => (printed += text),
        openRegistry: async () => Promise.reject(new Error("no registry is asked here")),
      });
      assert.equal(code, 0, printed);
    } finally {
      process.env["PATH"] = path;
    }
    assert.ok(printed.startsWith(`hostKey: ${target.host.hostKey ?? ""}\n`), printed);
  });

  it("is prepared by all scripts, those that come from here and those that it runs", async () => {
    await prepareHost(target);
    const from = await target.must(target.there('echo "${SSH_CONNECTION%% *}"'));
    assert.equal(from.trim(), bastion.address);
  });

  it("may let in the jump host alone, which is where berth comes from", async () => {
    const only: Firewall = { ssh: [`${bastion.address}/32`], web: "any", http3: false };
    const { firewall } = hostConcerns(concernsOf(target, { firewall: only }));
    await target.must(target.here(renderGuarded(firewall), "apply"));
    const cut = hostConcerns(concernsOf(target, { firewall: { ...only, ssh: ["198.18.0.0/24"] } }));
    const { code, stderr } = await target.here(renderGuarded(cut.firewall), "apply");
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`would cut this connection, which comes from ${bastion.address}`));
    await target.must(target.here(renderGuarded(hostConcerns(concernsOf(target)).firewall), "apply"));
  });

  it("runs command resources", async () => {
    const command = await plugin("command", {});
    const inputs = { connection: await commandConnection(), create: "hostname" };
    const { outputs } = await command.create("command:remote:Command", inputs);
    assert.equal(outputs["stdout"], target.host.name);
  });

  it("gives its Docker to the provider, to the program and to the verbs", async () => {
    const docker = await plugin("docker", {
      host: `ssh://${target.host.name}`,
      sshOpts: ["-F", sshConfigPath(target.stack)],
    });
    await docker.create("docker:index/volume:Volume", { name: "through", driver: "local" });
    const api = dockerApi(target.stack, target.host.name, target.root);
    const { Volumes } = await api.listVolumes();
    assert.deepEqual(
      Volumes.map(({ Name }) => Name),
      ["through"],
    );
    const verbs = dockerThroughSsh(ref(), target.host.name);
    const info = (await verbs.get("/info")) as { Name: string };
    verbs.close();
    assert.equal(info.Name, target.host.name);
  });

  it("is read by the verbs as its stack file says", async () => {
    const file = readStackFile(ref());
    const deep = await readDeep(ref(), file, await hostsOf(file));
    // No system is up on it, which is all that there is to say.
    assert.deepEqual(deep.flatMap(deepProblems), ["host host2: edge: the edge is not set up"]);
  });

  it("is refused by the verbs without its key", async () => {
    await writeStackFile({ hostKey: undefined });
    await assert.rejects(hostsOf(readStackFile(ref())), /berth:hosts\[0\]\.hostKey: is missing; run .* --jump bastion/);
    await writeStackFile({});
  });

  it("is not reached by way of a jump host that has another key than the pinned one", async () => {
    const stranger = { ...jump, hostKey: (await newSshKey()).public };
    const host = { ...target.host, jump: stranger };
    const { access } = hostConcerns(concernsOf(target, { host }));
    // One to the right one may still be shared; where there is none, there is nothing to end.
    await target.here(`ssh -F ${sshConfigPath(target.stack)} -O exit bastion.jump`, "");
    const { code, stderr } = await target.here(renderGuarded(access), "apply");
    assert.equal(code, 1);
    assert.match(stderr, /Host key verification failed/);
    const inputs = { connection: await commandConnection(host), create: "hostname" };
    await assert.rejects(plugins[0]!.create("command:remote:Command", inputs), /host key mismatch/);
  });
});
