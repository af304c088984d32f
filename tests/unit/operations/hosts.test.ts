import assert from "node:assert/strict";
import { stringify } from "yaml";
import { hostsOf } from "../../../operations/hosts.ts";
import { parseStackFile, type StackFile } from "../../../operations/stack-file.ts";
import { sampleHostKey } from "../../support/sample-config.ts";

const host = { name: "vm-1", address: "10.0.0.1", publicAddress: "198.18.0.1", hostKey: sampleHostKey };
const bastion = { address: "198.18.0.9", user: "jump", hostKey: sampleHostKey };

const file = (hosts: readonly object[], jumpHosts?: object, environment = "production"): StackFile => {
  const config = {
    "berth:environment": environment,
    "berth:hosts": hosts,
    ...(jumpHosts && { "berth:jumpHosts": jumpHosts }),
  };
  return parseStackFile("Pulumi.production.yaml", stringify({ config }));
};
const refusal = (...problems: string[]) => ({
  message: ["Pulumi.production.yaml: the hosts cannot be read:", ...problems].join("\n  - "),
});

describe("hosts of a stack file, as the verbs read them", () => {
  it("have the jump host that they name", async () => {
    const [first, second] = await hostsOf(
      file(
        [
          { ...host, jump: "bastion" },
          { ...host, name: "vm-2", address: "10.0.0.2" },
        ],
        { bastion },
      ),
    );
    assert.deepEqual(first?.jump, { name: "bastion", port: 22, ...bastion });
    assert.equal(second?.jump, undefined);
  });

  it("are refused outside the local environment without their keys, since they would be believed", async () => {
    const { hostKey: _, ...unpinned } = host;
    const { hostKey: __, ...way } = bastion;
    await assert.rejects(
      hostsOf(file([{ ...unpinned, jump: "bastion" }], { bastion: way })),
      refusal(
        "berth:hosts[0].hostKey: is missing; run `npm run berth -- host-key 10.0.0.1 --stack <stack> --jump bastion` and paste the line it prints",
        "berth:jumpHosts.bastion.hostKey: is missing; run `npm run berth -- host-key 198.18.0.9` and paste the line it prints",
      ),
    );
    assert.equal((await hostsOf(file([{ ...unpinned, jump: "bastion" }], { bastion: way }, "local"))).length, 1);
  });

  it("are refused when they name a jump host that there is not", async () => {
    await assert.rejects(
      hostsOf(file([{ ...host, jump: "bastion" }])),
      refusal('berth:hosts[0].jump: is not a jump host, got "bastion"; add bastion below berth:jumpHosts'),
    );
  });
});
