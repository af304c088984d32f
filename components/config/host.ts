import { z } from "zod";
import { refuse } from "./refusals.ts";
import { label, port, size } from "./scalars.ts";

/* One machine of a stack file's `hosts`. */

const ipv4 = z.ipv4({ error: refuse("is not an IPv4 address", "write for example 203.0.113.10") });

export const host = z.strictObject({
  name: label.describe("Name of the host, also in the swarm"),
  address: z
    .string()
    .regex(/^[A-Za-z0-9.:-]+$/, {
      error: refuse("is not an address", "write a host name or an IP, without a user or port"),
    })
    .describe("Address that SSH dials, a name or an IP"),
  port: port.default(22).describe("SSH port"),
  user: z
    .string()
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, { error: refuse("is not a user name", "write the name of a Unix user") })
    .default("root")
    .describe("SSH user; must be root or have password-less sudo"),
  jump: label
    .optional()
    .describe("Jump host that SSH goes through, by its name below `berth:jumpHosts`; dialled directly by default"),
  hostKey: z
    .string()
    .regex(/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*$/, {
      error: refuse("is not a public host key", "paste the line that `npm run berth -- host-key <address>` prints"),
    })
    .optional()
    .describe("Public host key, pinned; may be left out only in the local environment"),
  publicAddress: ipv4.optional().describe("Address that visitors reach; the SSH address by default"),
  publicAddress6: z
    .ipv6({ error: refuse("is not an IPv6 address", "write for example 2001:db8::10") })
    .optional()
    .describe("IPv6 address that visitors reach; with it, names get AAAA records too"),
  privateAddress: z
    .ipv4({ error: refuse("is not an IPv4 address", "write for example 10.0.0.11") })
    .optional()
    .describe("Address at which the hosts reach each other; required with several hosts"),
  role: z
    .enum(["manager", "worker"])
    .default("manager")
    .describe("manager keeps the state of the swarm and decides; 1, 3 or 5 of them"),
  state: z
    .enum(["active", "drain"])
    .default("active")
    .describe("drain moves every task to other hosts and takes the host out of DNS, for example before a removal"),
  memory: size.optional().describe("Memory it has; with it, what cannot fit on the hosts is refused"),
  cpus: z.number().positive().optional().describe("Cores it has; with them, what cannot fit on the hosts is refused"),
  disk: size.optional().describe("Size of its disks; with it, a machine with smaller ones is refused"),
  labels: z.record(label, z.string()).default({}).describe('Swarm node labels; `edge: "true"` runs the edge here'),
});

/** A machine that SSH goes through on its way to hosts, and that is otherwise none of berth's business. */
export const jumpHost = z.strictObject({
  address: host.shape.address,
  port: host.shape.port,
  user: host.shape.user.describe("SSH user; needs no right but to forward connections to the hosts"),
  hostKey: host.shape.hostKey,
});

export type JumpHost = z.output<typeof jumpHost>;

/** A jump host under its name in the stack file. */
export interface Jump extends JumpHost {
  readonly name: string;
}

/** A machine as its line of the stack file has it. */
export type HostEntry = z.output<typeof host>;

/** A machine, with the jump host that its line names. */
export type Host = Omit<HostEntry, "jump"> & { readonly jump?: Jump };

/** Hosts that keep the state of the swarm, in the order of the stack file; the first one makes the swarm. */
export function managersOf<H extends Pick<Host, "role">>(hosts: readonly H[]): H[] {
  return hosts.filter((one) => one.role === "manager");
}
