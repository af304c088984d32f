import { constants } from "node:os";
import type { Client, ClientChannel } from "ssh2";
import type { Context, Properties } from "../framework/types.ts";
import { Capture } from "./capture.ts";
import { previousOutput } from "./resource.ts";
import type { Output } from "./resource.ts";
import { dial } from "./ssh-dial.ts";
import type { Connection } from "./ssh-dial.ts";
import { requireEnvironment } from "./ssh-environment.ts";

/** Runs one command in a session of its own and waits until it has ended and said everything. */
export async function runOverSsh(
  command: string,
  settings: Properties,
  previous: Output,
  context: Context<undefined>,
): Promise<Output> {
  const client = await dial(settings["connection"] as Connection, context);
  try {
    const wanted = (settings["environment"] ?? {}) as Record<string, string>;
    const offered = previousOutput(settings, previous);
    const channel = await start(client, command, { wanted, offered }, context);
    return await finish(channel, command, settings, context);
  } finally {
    client.end();
  }
}

interface Environment {
  /** The command must not run without these. */
  readonly wanted: Readonly<Record<string, string>>;
  /** These it gets if the server lets them through. */
  readonly offered: Readonly<Record<string, string>>;
}

async function start(
  client: Client,
  command: string,
  environment: Environment,
  context: Context<undefined>,
): Promise<ClientChannel> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientChannel>();
  const refused = (name: string): "go on" | "stop" => {
    const wanted = name in environment.wanted;
    context.log?.(wanted ? "error" : "warning", refusal(name));
    if (!wanted) return "go on";
    reject(new Error(`could not set environment variable "${name}": ssh: setenv failed`));
    return "stop";
  };
  requireEnvironment(client, refused);
  client.exec(command, { env: { ...environment.offered, ...environment.wanted } }, (error, channel) => {
    if (error === undefined) resolve(channel);
    else reject(error);
  });
  return promise;
}

function refusal(name: string): string {
  return `Unable to set '${name}': the SSH server accepts only variables that its AcceptEnv names. Write the variable before the command instead (VAR=value command), or pass it on stdin.`;
}

async function finish(
  channel: ClientChannel,
  command: string,
  settings: Properties,
  context: Context<undefined>,
): Promise<Output> {
  const capture = new Capture(settings, context);
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  channel.on("data", (chunk: Buffer) => {
    capture.add("stdout", chunk);
  });
  channel.stderr.on("data", (chunk: Buffer) => {
    capture.add("stderr", chunk);
  });
  // "exit" may have come in one packet with the channel, before anybody listened; "close" repeats what it said.
  channel.once("close", (code?: number | null, signal?: string, _core?: unknown, description?: string) => {
    resolve(exitReason(code, signal, description));
  });
  channel.once("error", reject);
  channel.end(settings["stdin"] as string | undefined);
  const failure = await promise;
  if (failure !== undefined) throw capture.failure(failure, command);
  return capture.finish();
}

function exitReason(code?: number | null, signal?: string, description?: string): string | undefined {
  if (code === undefined) return "wait: remote command exited without exit status or exit signal";
  if (code === 0) return undefined;
  const name = (signal ?? "").replace(/^SIG/, "");
  const number = Object.entries(constants.signals).find(([known]) => known === `SIG${name}`)?.[1] ?? 0;
  const from = name === "" ? "" : ` from signal ${name}`;
  const because = description === undefined || description === "" ? "" : `. Reason was: ${description}`;
  return `Process exited with status ${code ?? 128 + number}${from}${because}`;
}
