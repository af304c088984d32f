import assert from "node:assert/strict";
import {
  assessHardening,
  containerExceptions,
  declaredExceptions,
  edgeExceptions,
  serviceExceptions,
  type RawTaskTemplate,
} from "../../../operations/hardening.ts";
import { systemOf } from "../../support/systems.ts";

const confined = {
  ContainerSpec: {
    User: "1000:1000",
    ReadOnly: true,
    CapabilityDrop: ["ALL"],
    Mounts: [{ Type: "volume", Source: "palmistry-uploads" }, { Type: "tmpfs" }],
  },
  Resources: { Limits: { MemoryBytes: 1024 ** 3, NanoCPUs: 1e9 } },
} satisfies RawTaskTemplate;
const loosened = (changes: RawTaskTemplate["ContainerSpec"], more: RawTaskTemplate = {}): string[] =>
  serviceExceptions({ ...confined, ContainerSpec: { ...confined.ContainerSpec, ...changes }, ...more });

describe("the hardening of what runs", () => {
  it("has no exception where a service is confined as all are", () => {
    assert.deepEqual(serviceExceptions(confined), []);
  });

  const cases: readonly (readonly [exception: string, found: string[]])[] = [
    ["runs as the user of its image", loosened({ User: "" })],
    ["runs as root", loosened({ User: "root" })],
    ["runs as 0:0", loosened({ User: "0:0" })],
    ["can write to its root file system", loosened({ ReadOnly: false })],
    ["keeps all capabilities that Docker gives", loosened({ CapabilityDrop: null })],
    ["keeps CHOWN, SETUID", loosened({ CapabilityAdd: ["CAP_SETUID", "CAP_CHOWN"] })],
    [
      "reaches /var/run/docker.sock of its host",
      loosened({ Mounts: [{ Type: "bind", Source: "/var/run/docker.sock" }] }),
    ],
    ["has no limit of memory or cores", loosened({}, { Resources: { Limits: { MemoryBytes: 1024 } } })],
  ];
  for (const [exception, found] of cases) {
    it(`names one that ${exception}`, () => {
      assert.deepEqual(found, [exception]);
    });
  }

  it("reads a container like a service", () => {
    assert.deepEqual(
      containerExceptions({
        Config: { User: "" },
        HostConfig: {
          ReadonlyRootfs: true,
          CapDrop: ["ALL"],
          CapAdd: ["CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"],
          Memory: 512 * 1024 ** 2,
          NanoCpus: 2e9,
        },
        Mounts: [
          { Type: "bind", Source: "/var/lib/berth/edge" },
          { Type: "volume", Source: "/var/lib/docker/volumes/1/_data" },
        ],
      }),
      edgeExceptions,
    );
  });

  it("finds what the system says, and calls what it does not say a problem", async () => {
    const declared = declaredExceptions(await systemOf("personal-assistant"));
    assert.deepEqual(declared["api"], ["keeps CHOWN, SETGID, SETUID"]);
    assert.deepEqual([declared["postgres"], declared["postgres-pooler"], declared["migrate"]], [[], [], []]);
    const kept = loosened({ CapabilityAdd: ["CAP_CHOWN", "CAP_SETGID", "CAP_SETUID"] });
    assert.deepEqual(assessHardening("api", kept, declared["api"] ?? []), {
      service: "api",
      exceptions: ["keeps CHOWN, SETGID, SETUID"],
      problem: null,
    });
    assert.equal(
      assessHardening("postgres", [...kept, "reaches / of its host"], []).problem,
      "is less confined than the system says: keeps CHOWN, SETGID, SETUID; reaches / of its host",
    );
  });
});
