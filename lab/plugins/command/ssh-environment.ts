import type { Client } from "ssh2";

/*
 * ssh2 sends environment variables without asking whether the server took them, and the command runs right after.
 * The real provider waits for the answers and does not run a command whose environment was refused. So this reaches
 * into the client: it asks for a reply to each variable and holds the command back until all have come.
 */
interface Internals {
  readonly _protocol: {
    env(channel: number, name: string, value: string, wantReply: boolean): void;
    exec(channel: number, command: string, wantReply: boolean): void;
  };
  readonly _chanMgr: {
    get(channel: number): { readonly _callbacks: ((failed: boolean) => void)[]; close(): void } | undefined;
  };
}

/** For a client that runs one command: `refused` says what becomes of it without that variable. */
export function requireEnvironment(client: Client, refused: (name: string) => "go on" | "stop"): void {
  const { _protocol: protocol, _chanMgr: channels } = client as unknown as Internals;
  const sendEnv = protocol.env.bind(protocol);
  const sendExec = protocol.exec.bind(protocol);
  let open = 0;
  let stopped = false;
  let held: (() => void) | undefined;
  protocol.env = (id, name, value) => {
    open++;
    const channel = channels.get(id);
    channel?._callbacks.push((failed) => {
      open--;
      if (failed && !stopped && refused(name) === "stop") {
        stopped = true;
        channel.close();
      }
      if (open === 0 && !stopped) held?.();
    });
    sendEnv(id, name, value, true);
  };
  protocol.exec = (id, command, wantReply) => {
    if (open === 0) sendExec(id, command, wantReply);
    else
      held = () => {
        sendExec(id, command, wantReply);
      };
  };
}
