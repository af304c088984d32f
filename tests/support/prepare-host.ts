import { renderGuarded } from "../../components/fleet/guarded.render.ts";
import { hostConcerns, type HostConcernsArgs } from "../../components/fleet/host.render.ts";
import type { LabHost } from "./lab-host.ts";

/** What a stack would say about a single machine. */
export function concernsOf(machine: LabHost, changes: Partial<HostConcernsArgs> = {}): HostConcernsArgs {
  return {
    stack: machine.stack,
    host: machine.host,
    hosts: [machine.host],
    registry: { address: "registry.test:5000" },
    firewall: { ssh: ["0.0.0.0/0", "::/0"], web: "any", http3: false },
    dnsChallenges: false,
    proxyRanges: [],
    rangesApi: undefined,
    autolock: false,
    docker: { source: "distribution", pidsLimit: 4096 },
    ...changes,
  };
}

/** Does on a machine what `pulumi up` does there, in the same order; what the scripts printed. */
export async function prepareHost(machine: LabHost, args: HostConcernsArgs = concernsOf(machine)): Promise<string> {
  const { access, engine, system, firewall } = hostConcerns(args);
  const said = [
    await machine.must(machine.here(renderGuarded(access), "apply")),
    await machine.must(machine.there(engine)),
    await machine.must(machine.there(system)),
    await machine.must(machine.here(renderGuarded(firewall), "apply")),
  ];
  return said.join("");
}
