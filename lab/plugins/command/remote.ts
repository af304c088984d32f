import type { remote } from "@pulumi/command";
import type { types } from "@pulumi/command";
import { any, boolean, list, map, number, object, required, string } from "../framework/shape.ts";
import type { Required, Shape } from "../framework/shape.ts";
import type { CheckFailure, Context, Properties } from "../framework/types.ts";
import { isPlainObject } from "../framework/wire.ts";
import { commandResource, logging } from "./resource.ts";
import type { Output } from "./resource.ts";

const proxyInputs = {
  agentSocketPath: string,
  dialErrorLimit: number,
  host: required(string),
  hostKey: string,
  password: string,
  perDialTimeout: number,
  port: number,
  privateKey: string,
  privateKeyPassword: string,
  user: string,
} satisfies Record<keyof types.input.remote.ProxyConnectionArgs, Shape | Required>;

const connectionInputs = {
  ...proxyInputs,
  proxy: object(proxyInputs),
} satisfies Record<keyof types.input.remote.ConnectionArgs, Shape | Required>;

const inputs = {
  connection: required(object(connectionInputs)),
  addPreviousOutputInEnv: boolean,
  create: string,
  delete: string,
  environment: map(string),
  logging,
  stdin: string,
  triggers: list(any),
  update: string,
} satisfies Record<keyof remote.CommandArgs, Shape | Required>;

const defaults = { user: "root", port: 22, dialErrorLimit: 10, perDialTimeout: 15 };

/** `command.remote.Command` */
export const remoteCommand = commandResource(inputs, run, {
  secretOutputs: ["connection"],
  prepare: (news) => ({ inputs: withDefaults(news), failures: [] satisfies CheckFailure[] }),
});

function withDefaults(news: Properties): Properties {
  const { connection } = news;
  if (!isPlainObject(connection)) return news; // Not known yet.
  const { proxy } = connection;
  const filled = isPlainObject(proxy) ? { proxy: { ...defaults, ...proxy } } : {};
  return { ...news, connection: { ...defaults, ...connection, ...filled } };
}

async function run(
  command: string,
  settings: Properties,
  previous: Output,
  context: Context<undefined>,
): Promise<Output> {
  // The SSH client takes a while to load and previews never need it.
  const { runOverSsh } = await import("./ssh-run.ts");
  return runOverSsh(command, settings, previous, context);
}
