import assert from "node:assert/strict";
import { createOptions, hash, type ContainerSpec } from "../../lab/docker.ts";
import { hostNames, hostSpec } from "../../lab/hosts.ts";
import { labNamed } from "../../lab/settings.ts";

const lab = labNamed("local", "/repo", { http: 8080, https: 8443 });
const spec: ContainerSpec = {
  part: "registry",
  image: "berth-lab/parts:1",
  command: ["serve"],
  env: { A: "b" },
  address: "10.89.0.2",
  aliases: ["registry.test"],
  ports: { 5001: "5000/tcp" },
  binds: ["/from:/to:ro"],
};

describe("containers of the lab", () => {
  it("carry the lab's label and are reached on 127.0.0.1 alone", () => {
    assert.deepEqual(createOptions(lab, spec), {
      name: "berth-local-registry",
      Image: "berth-lab/parts:1",
      Hostname: "registry",
      Cmd: ["serve"],
      Env: ["A=b"],
      Labels: { "berth.lab": "local", "berth.lab.spec": hash(spec) },
      ExposedPorts: { "5000/tcp": {} },
      HostConfig: {
        NetworkMode: "berth-local-net",
        Binds: ["/from:/to:ro"],
        PortBindings: { "5000/tcp": [{ HostIp: "127.0.0.1", HostPort: "5001" }] },
      },
      NetworkingConfig: {
        EndpointsConfig: {
          "berth-local-net": { Aliases: ["registry.test"], IPAMConfig: { IPv4Address: "10.89.0.2" } },
        },
      },
    });
  });

  it("are recognised by their specification: the same one again, another one after any change", () => {
    const label = (changed: Partial<ContainerSpec>) =>
      createOptions(lab, { ...spec, ...changed }).Labels?.["berth.lab.spec"];
    assert.equal(label({}), label({}));
    const changes: Partial<ContainerSpec>[] = [
      { image: "other" },
      { ports: { 5002: "5000/tcp" } },
      { contentHash: "1" },
      { binds: [] },
    ];
    assert.equal(new Set([label({}), ...changes.map(label)]).size, changes.length + 1);
  });

  it("run systemd and a Docker daemon as hosts without being privileged", () => {
    const { HostConfig, Volumes } = createOptions(
      lab,
      hostSpec("host1", "berth-lab/host:1", "10.89.0.11", { ssh: 2201, http: 8080, https: 8443 }),
    );
    assert.ok(HostConfig);
    assert.equal(HostConfig.Privileged, undefined);
    assert.deepEqual(HostConfig.CapAdd, ["SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE", "NET_RAW", "DAC_READ_SEARCH"]);
    assert.deepEqual(Volumes, { "/var/lib/docker": {} });
    assert.deepEqual(Object.keys(HostConfig.PortBindings as object), ["22/tcp", "80/tcp", "443/tcp"]);
  });

  it("are as many hosts as were asked for, or as the system has, or as there are, and never fewer", () => {
    assert.deepEqual(hostNames(undefined, 2, []), ["host1", "host2"]);
    assert.deepEqual(hostNames(undefined, 1, []), ["host1"]);
    assert.deepEqual(hostNames(2, 1, ["host1"]), ["host1", "host2"]);
    const kept = ["host1", "host2", "host2-http", "host2-https"];
    assert.deepEqual(hostNames(undefined, 1, kept), ["host1", "host2"]);
    assert.throws(() => hostNames(1, 1, kept), {
      message:
        "--hosts or LAB_HOSTS: is less than the lab has, got 1 of 2; keep them, or remove the lab first: npm run lab:down",
    });
  });
});
