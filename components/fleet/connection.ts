import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import type { Host } from "../config/host.ts";
import { privateKeyText } from "./ssh.ts";

/** How a `command.remote` resource reaches a host. The provider reads no SSH configuration, so it gets all of it. */
export function connection(host: Host, sshKey: string | undefined): Command.types.input.remote.ConnectionArgs {
  return {
    ...endpoint(host, sshKey),
    ...(host.jump === undefined ? {} : { proxy: endpoint(host.jump, sshKey) }),
  };
}

function endpoint(
  { address, port, user, hostKey }: Pick<Host, "address" | "port" | "user" | "hostKey">,
  sshKey: string | undefined,
): Command.types.input.remote.ProxyConnectionArgs {
  return {
    host: address,
    port,
    user,
    ...(hostKey === undefined ? {} : { hostKey }),
    ...(sshKey === undefined ? {} : { privateKey: pulumi.secret(privateKeyText(sshKey)) }),
    // Waits between the tries grow; these limits give up on an unreachable host within about half a minute.
    dialErrorLimit: 3,
    perDialTimeout: 10,
  };
}
