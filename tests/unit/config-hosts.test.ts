import { itRejects, type Refusal } from "../support/refusals.ts";
import { problemsOf } from "../support/problems.ts";
import { sampleHostKey, sampleRaw } from "../support/sample-config.ts";
import { host, one, two } from "../support/sample-hosts.ts";

/* Hosts of a stack file that cannot be used, and what is said about them. */

const remote = {
  "berth:environment": "staging",
  "berth:hosts": [host],
  "berth:acme": { email: "ops@palmistry.com", agreeToTerms: true },
};
const fleet = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    ...one,
    name: `vm-${index + 1}`,
    address: `vm-${index + 1}`,
    privateAddress: `10.0.0.${index + 1}`,
  }));
const volumes = { postgres: "vm-1", redis: "vm-1", uploads: "vm-2" };
const onOne = { ...volumes, uploads: "vm-1" };
/** Two hosts that are right, but for what a case changes. */
const placed = { "berth:volumes": volumes };

const refusals: readonly Refusal[] = [
  [
    "an unknown key in a host",
    { "berth:hosts": [{ ...host, adress: "vm" }] },
    [
      "berth:hosts[0].adress: is not a known key; use name, address, port, user, jump, hostKey, publicAddress, publicAddress6, " +
        "privateAddress, role, state, memory, cpus, disk or labels",
    ],
  ],
  [
    "a Docker that nobody has",
    { "berth:docker": { source: "debian", version: "latest" } },
    [
      'berth:docker.source: is not one of the choices, got "debian"; write distribution or docker',
      'berth:docker.version: is not a version, got "latest"; write it in quotes, for example "20.10.24"',
    ],
  ],
  [
    "a jump host that there is not",
    { "berth:hosts": [{ ...host, publicAddress: "198.18.0.1", jump: "bastion" }] },
    ['berth:hosts[0].jump: is not a jump host, got "bastion"; add bastion below berth:jumpHosts'],
  ],
  [
    "another jump host than there is, which then nobody uses, and no address for visitors",
    {
      "berth:hosts": [{ ...host, jump: "bastoin" }],
      "berth:jumpHosts": { bastion: { address: "198.18.0.9", hostKey: sampleHostKey } },
    },
    [
      'berth:hosts[0].jump: is not a jump host, got "bastoin"; use bastion',
      "berth:hosts[0].publicAddress: is missing; visitors do not come by the jump host: write the address that they reach",
      "berth:jumpHosts.bastion: is used by no host; remove it, or write jump: bastion in the line of a host",
    ],
  ],
  [
    "hosts and jump hosts outside the local environment without their keys",
    {
      ...remote,
      "berth:hosts": [
        { ...host, address: "10.0.0.1", publicAddress: "198.18.0.1", hostKey: undefined, jump: "bastion" },
      ],
      "berth:jumpHosts": { bastion: { address: "198.18.0.9", port: 2222, user: "jump" } },
    },
    [
      "berth:hosts[0].hostKey: is missing; run `npm run berth -- host-key 10.0.0.1 --stack local --jump bastion` and paste the line it prints",
      "berth:jumpHosts.bastion.hostKey: is missing; run `npm run berth -- host-key 198.18.0.9:2222` and paste the line it prints",
    ],
  ],
  [
    "a jump host out of a manual",
    {
      ...remote,
      "berth:hosts": [{ ...host, publicAddress: "198.18.0.1", jump: "bastion" }],
      "berth:jumpHosts": { bastion: { address: "203.0.113.9", hostKey: "AAAA", name: "x" } },
    },
    [
      'berth:jumpHosts.bastion.address: is an address for documentation, got "203.0.113.9"; write the address of your jump host',
      "berth:jumpHosts.bastion.hostKey: is missing; run `npm run berth -- host-key <address>` and paste the line it prints",
      'berth:jumpHosts.bastion.hostKey: is not a public host key, got "AAAA"; paste the line that ' +
        "`npm run berth -- host-key <address>` prints",
      "berth:jumpHosts.bastion.name: is not a known key; use address, port, user or hostKey",
    ],
  ],
  ["no hosts", { "berth:hosts": [] }, ["berth:hosts: is empty, got an empty list; write at least one"]],
  [
    "a name in capitals",
    { "berth:hosts": [{ ...host, name: "VM_1" }] },
    [
      'berth:hosts[0].name: is not a name, got "VM_1"; use lower-case letters, digits and hyphens, a letter first, ' +
        "at most 30 characters",
    ],
  ],
  [
    "a port below all",
    { "berth:hosts": [{ ...host, port: 0 }] },
    ["berth:hosts[0].port: is out of range, got 0; use a port from 1 to 65535"],
  ],
  [
    "a port above all",
    { "berth:hosts": [{ ...host, port: 65536 }] },
    ["berth:hosts[0].port: is out of range, got 65536; use a port from 1 to 65535"],
  ],
  [
    "a port as text",
    { "berth:hosts": [{ ...host, port: "22" }] },
    ['berth:hosts[0].port: is not a number, got "22"; write a number without quotes'],
  ],
  [
    "a port between two ports",
    { "berth:hosts": [{ ...host, port: 22.5 }] },
    ["berth:hosts[0].port: is not a whole number, got 22.5; write a whole number"],
  ],
  [
    "a label that is no text",
    { "berth:hosts": [{ ...host, labels: { edge: true } }] },
    [
      'berth:hosts: has no edge; give at least one host the label `edge: "true"`',
      "berth:hosts[0].labels.edge: is not text, got true; write text, in quotes if it looks like a number",
    ],
  ],
  [
    "a host key of another form",
    { "berth:hosts": [{ ...host, hostKey: "SHA256:abc" }] },
    [
      'berth:hosts[0].hostKey: is not a public host key, got "SHA256:abc"; paste the line that ' +
        "`npm run berth -- host-key <address>` prints",
    ],
  ],
  [
    "an address with a user",
    { "berth:hosts": [{ ...host, address: "root@vm" }] },
    ['berth:hosts[0].address: is not an address, got "root@vm"; write a host name or an IP, without a user or port'],
  ],
  [
    "two hosts of one name",
    { "berth:volumes": onOne, "berth:hosts": [one, { ...two, name: "vm-1" }] },
    ['berth:hosts[1].name: is the name of another host, got "vm-1"; every host is listed once'],
  ],
  [
    "two hosts at one address and port",
    { ...placed, "berth:hosts": [one, { ...two, address: "198.18.0.1" }] },
    ['berth:hosts[1].address: is the address and port of another host, got "198.18.0.1:22"; every host is listed once'],
  ],
  [
    "two hosts at one private address",
    { ...placed, "berth:hosts": [one, { ...two, privateAddress: "10.0.0.1" }] },
    [
      'berth:hosts[1].privateAddress: is the private address of another host, got "10.0.0.1"; every host is listed once',
    ],
  ],
  [
    "several hosts that do not say where they reach each other",
    { ...placed, "berth:hosts": [{ ...one, privateAddress: undefined }, two] },
    [
      "berth:hosts[0].privateAddress: is missing; write the address at which the other hosts reach this one, for " +
        "example 10.0.0.11",
    ],
  ],
  [
    "two managers",
    { ...placed, "berth:hosts": [one, { ...two, role: "manager" }] },
    [
      "berth:hosts: has 2 managers, which survive the loss of neither, got vm-1 and vm-2; give one the role worker, " +
        "or make it 3 managers",
    ],
  ],
  [
    "four managers",
    { ...placed, "berth:hosts": fleet(4) },
    [
      "berth:hosts: has 4 managers, which survive no more losses than 3, got vm-1, vm-2, vm-3 and vm-4; give one the " +
        "role worker, or make it 5 managers",
    ],
  ],
  [
    "six managers",
    { ...placed, "berth:hosts": fleet(6) },
    [
      "berth:hosts: has more managers than help, got 6 (vm-1, vm-2, vm-3, vm-4, vm-5 and vm-6): each confirms every " +
        "change; give all but 5 the role worker",
    ],
  ],
  [
    "no manager",
    { "berth:hosts": [{ ...host, role: "worker" }] },
    ["berth:hosts: has no manager; give 1, 3 or 5 hosts the role manager"],
  ],
  [
    "a role and a state that there are not",
    { "berth:hosts": [{ ...host, role: "leader", state: "paused" }] },
    [
      'berth:hosts[0].role: is not one of the choices, got "leader"; write manager or worker',
      'berth:hosts[0].state: is not one of the choices, got "paused"; write active or drain',
    ],
  ],
  [
    "nothing but drained hosts",
    { "berth:hosts": [{ ...host, state: "drain" }] },
    ["berth:hosts: leaves no host to run anything, got drain for all; keep one of them active"],
  ],
  [
    "volumes that are on no host in particular",
    { "berth:hosts": [one, two] },
    ["postgres", "redis", "uploads"].map(
      (volume) => `berth:volumes.${volume}: is missing; write the host that keeps this volume: vm-1 or vm-2`,
    ),
  ],
  [
    "volumes on hosts that there are not, and volumes that there are not",
    { "berth:hosts": [one, two], "berth:volumes": { ...volumes, redis: "vm-3", cache: "vm-1" } },
    [
      "berth:volumes.cache: is not a volume of the system; use postgres, redis or uploads",
      'berth:volumes.redis: is not a host, got "vm-3"; use vm-1 or vm-2',
    ],
  ],
  [
    "a volume on a drained host",
    { ...placed, "berth:hosts": [one, { ...two, state: "drain" }] },
    [
      'berth:volumes.uploads: is on a host that is drained, which stops api and worker, got "vm-2"; keep the host ' +
        "active, or move the volume's data first and name its new host",
    ],
  ],
  [
    "the same mistake behind a refused entry",
    {
      "berth:volumes": onOne,
      "berth:hosts": [
        { ...two, name: "vm-0", address: undefined },
        one,
        { ...two, name: "vm-1", privateAddress: "10.0.0.3" },
      ],
    },
    [
      "berth:hosts[0].address: is missing; add it: Address that SSH dials, a name or an IP",
      'berth:hosts[2].name: is the name of another host, got "vm-1"; every host is listed once',
    ],
  ],
  [
    "no host with an edge",
    { "berth:hosts": [{ ...host, labels: {} }] },
    ['berth:hosts: has no edge; give at least one host the label `edge: "true"`'],
  ],
  [
    "no host key outside the local environment",
    { ...remote, "berth:hosts": [{ ...host, hostKey: undefined, port: 2222 }] },
    [
      "berth:hosts[0].hostKey: is missing; run `npm run berth -- host-key 198.18.0.1:2222` and paste the line it prints",
    ],
  ],
];

describe("the hosts of a stack", () => {
  itRejects(refusals, (changes) => problemsOf(sampleRaw(changes)));
});
