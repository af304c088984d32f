import type { Duplex } from "node:stream";
import { inspect } from "node:util";
import Docker from "dockerode";
import { CommandConnection } from "./dial-stdio.ts";
import { sshConfigPath } from "./ssh.render.ts";
import { sshCommand } from "./ssh.ts";

// By an import Node would load undici too, for the WebSocket that this module has: twenty milliseconds of each start.
const { Agent } = process.getBuiltinModule("node:http");

/** sshd is set up for more sessions than this on one connection; requests beyond it wait for a free one. */
const maxSessions = 8;

/**
 * The Docker API of a host, over SSH as the Docker CLI does it: each HTTP connection is an `ssh … docker system
 * dial-stdio`. Connections are kept for the next request. Dials on first use, so it costs nothing until then.
 */
export function dockerApi(stack: string, hostName: string, root: string = process.cwd()): Docker {
  const argv = sshCommand(stack, hostName, ["docker", "system", "dial-stdio"]) as [string, ...string[]];
  const trial = `ssh -F ${sshConfigPath(stack)} ${hostName} docker version`;
  return dockerOver(hostName, () => {
    return new CommandConnection(
      argv,
      root,
      (complaint) => `host ${hostName}: its Docker cannot be reached, got "${complaint}"; try \`${trial}\``,
    );
  });
}

/** A Docker client whose connections are made by `connect`. */
export function dockerOver(hostName: string, connect: () => Duplex): Docker {
  const agent = new Agent({ keepAlive: true, maxSockets: maxSessions });
  agent.createConnection = connect;
  // The client describes its options in full for each request, even while its log is off; with all connections of the
  // agent that takes ten times as long as the request.
  Object.assign(agent, { [inspect.custom]: () => `connections to ${hostName}` });
  // All four are given, so that DOCKER_HOST in the environment cannot fill in one of them.
  const options: Docker.DockerOptions & { readonly agent: InstanceType<typeof Agent> } = {
    protocol: "http",
    host: hostName,
    port: 80,
    agent,
  };
  return new Docker(options);
}
