import * as pulumi from "@pulumi/pulumi";
import type * as Command from "@pulumi/command";
import type { Host } from "../config/host.ts";
import { privateKeyText } from "./ssh.ts";

/** How a `command.remote` resource reaches a host. The provider reads no SSH configuration, so it gets all of it. */
export function connection(host: Host, sshKey: string | undefined): Command.types.input.remote.ConnectionArgs {
  return {
    host: host.address,
    port: host.port,
    user: host.user,
    ...(host.hostKey === undefined ? {} : { hostKey: host.hostKey }),
    ...(sshKey === undefined ? {} : { privateKey: pulumi.secret(privateKeyText(sshKey)) }),
    // Waits between the tries grow; these limits give up on an unreachable host within about half a minute.
    dialErrorLimit: 3,
    perDialTimeout: 10,
  };
}
