import type { Finding, Path } from "./findings.ts";
import type { Host, HostEntry, JumpHost } from "./host.ts";
import type { Parts } from "./lenient.ts";
import { placeholder } from "./placeholders.ts";
import { list, show } from "./refusals.ts";
import type { Environment } from "./stack.ts";

/* Jump hosts: what their names stand for, and rules across them and the hosts. */

/** Hosts with the jump hosts that their lines name, which `jumpRules` has found to be there. */
export function withJumps(hosts: readonly HostEntry[], jumpHosts: Readonly<Record<string, JumpHost>>): Host[] {
  return hosts.map(({ jump, ...host }) => {
    const found = jump === undefined ? undefined : jumpHosts[jump];
    return jump === undefined || found === undefined ? host : { ...host, jump: { name: jump, ...found } };
  });
}

/** Command that asks for the key of a machine; with a jump host, through it. */
export function hostKeyLine(address: string, port: number, through?: { jump: string; stack: string }): string {
  const by = through === undefined ? "" : ` --stack ${through.stack} --jump ${through.jump}`;
  return `\`npm run berth -- host-key ${port === 22 ? address : `${address}:${port}`}${by}\``;
}

export function jumpRules(
  hosts: readonly Parts<HostEntry>[],
  jumpHosts: Readonly<Record<string, Parts<JumpHost>>>,
  environment: Environment,
): Finding[] {
  const names = Object.keys(jumpHosts);
  return [
    ...hosts.flatMap((one, index) => hostRules(["hosts", index], one, names)),
    ...names.flatMap((name): Finding[] => {
      const path = ["jumpHosts", name];
      const unused = hosts.every(({ jump }) => jump !== name);
      const message = `is used by no host; remove it, or write jump: ${name} in the line of a host`;
      return [
        ...(unused ? [{ path, message }] : []),
        ...(environment === "local" ? [] : realRules(path, jumpHosts[name] ?? {})),
      ];
    }),
  ];
}

function hostRules(path: Path, { jump, labels, publicAddress }: Parts<HostEntry>, names: readonly string[]): Finding[] {
  if (jump === undefined) return [];
  const cure = names.length === 0 ? `add ${jump} below berth:jumpHosts` : `use ${list(names, "or")}`;
  const visitors = "is missing; visitors do not come by the jump host: write the address that they reach";
  return [
    ...(names.includes(jump)
      ? []
      : [{ path: [...path, "jump"], message: `is not a jump host, got ${show(jump)}; ${cure}` }]),
    ...(labels?.edge === "true" && publicAddress === undefined
      ? [{ path: [...path, "publicAddress"], message: visitors }]
      : []),
  ];
}

/** Whoever answers in place of a jump host sees every dial: its key is pinned like a host's. */
function realRules(path: Path, { address, port = 22, hostKey }: Parts<JumpHost>): Finding[] {
  const unreal = placeholder([...path, "address"], address, address, "write the address of your jump host");
  const dialled = address === undefined || unreal.length > 0 ? "<address>" : address;
  const message = `is missing; run ${hostKeyLine(dialled, port)} and paste the line it prints`;
  return [...unreal, ...(hostKey === undefined ? [{ path: [...path, "hostKey"], message }] : [])];
}
