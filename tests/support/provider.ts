import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import providerRpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import statusPb from "@pulumi/pulumi/proto/status_pb.js";
import { pluginMode, selectPlugins } from "../../lab/plugins/select.ts";
import { type Secrets, decode, encode } from "../../lab/plugins/framework/wire.ts";

type Properties = Record<string, unknown>;

/** A provider plugin spoken to as the engine does, without an engine. Secrets come unwrapped, unknowns as symbol. */
export interface Provider {
  check(type: string, news: Properties, olds?: Properties): Promise<{ inputs: Properties; failures: string[] }>;
  diff(type: string, args: { id: string; olds: Properties; oldInputs: Properties; news: Properties }): Promise<Diff>;
  create(type: string, inputs: Properties, secrets?: Secrets): Promise<Stored>;
  read(type: string, stored: Stored, inputs: Properties): Promise<(Stored & { inputs: Properties }) | undefined>;
  update(type: string, stored: Stored, oldInputs: Properties, news: Properties): Promise<Stored>;
  delete(type: string, stored: Stored): Promise<void>;
  stop(): Promise<void>;
}

export interface Stored {
  readonly id: string;
  readonly outputs: Properties;
  /** Paths of the secrets among the outputs. */
  readonly secrets?: Secrets;
}

export interface Diff {
  readonly changes: "none" | "some";
  /** How each changed property changes, for example `{ "env.A": "update" }`. */
  readonly detailed: Readonly<Record<string, string>>;
  readonly replaces: readonly string[];
  readonly deleteBeforeReplace: boolean;
}

/** What a provider answers when a resource was made but is not well: the engine stores both. */
export class InitFailed extends Error {
  readonly stored: Stored;
  constructor(message: string, stored: Stored) {
    super(message);
    this.stored = stored;
  }
}

/** Starts the plugin `executable` and configures it. */
export async function startProvider(
  executable: string,
  config: Properties,
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<Provider> {
  const child = spawn(executable, ["127.0.0.1:1"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
    cwd,
  });
  const [port] = (await Promise.race([
    once(child.stdout.setEncoding("utf8"), "data"),
    once(child, "close").then(() => {
      throw new Error(`${executable} ended before it said its port`);
    }),
  ])) as [string];
  const client = new providerRpc.ResourceProviderClient(`127.0.0.1:${port.trim()}`, grpc.credentials.createInsecure());
  const provider = new Client(client, child);
  await provider.configure(config);
  return provider;
}

/** Starts the plugin that LAB_PLUGINS chooses for the package `name`. */
export async function startChosen(
  name: string,
  config: Properties,
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<Provider> {
  const directory = await mkdtemp(join(tmpdir(), "berth-plugins-"));
  try {
    const mode = pluginMode(process.env["LAB_PLUGINS"]);
    const { plugins } = await selectPlugins(mode, { directory, engine: process.execPath });
    return await startProvider(plugins.find((plugin) => plugin.name === name)!.path, config, env, cwd);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const kinds = ["add", "add-replace", "delete", "delete-replace", "update", "update-replace"];

class Client implements Provider {
  readonly #client: InstanceType<typeof providerRpc.ResourceProviderClient>;
  readonly #child: ChildProcess;

  constructor(client: InstanceType<typeof providerRpc.ResourceProviderClient>, child: ChildProcess) {
    this.#client = client;
    this.#child = child;
  }

  async configure(config: Properties): Promise<void> {
    const checked = await this.#call("checkConfig", new pb.CheckRequest().setUrn(providerUrn).setNews(encode(config)));
    const request = new pb.ConfigureRequest().setArgs(checked.getInputs()).setAcceptsecrets(true);
    for (const [key, value] of Object.entries(config)) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      request.getVariablesMap().set(`docker:config:${key}`, text);
    }
    await this.#call("configure", request);
  }

  async check(type: string, news: Properties, olds?: Properties): ReturnType<Provider["check"]> {
    const request = new pb.CheckRequest().setUrn(urn(type)).setType(type).setNews(encode(news));
    request.setRandomseed(new Uint8Array(32).fill(7));
    if (olds !== undefined) request.setOlds(encode(olds));
    const response = await this.#call("check", request);
    return {
      inputs: decode(response.getInputs()).values,
      failures: response.getFailuresList().map((failure) => `${failure.getProperty()}: ${failure.getReason()}`),
    };
  }

  async diff(type: string, args: Parameters<Provider["diff"]>[1]): Promise<Diff> {
    const request = new pb.DiffRequest().setUrn(urn(type)).setType(type).setId(args.id);
    request.setOlds(encode(args.olds)).setOldInputs(encode(args.oldInputs)).setNews(encode(args.news));
    const response = await this.#call("diff", request);
    const detailed: Record<string, string> = {};
    for (const [path, { kind }] of response.toObject().detaileddiffMap) detailed[path] = kinds[kind]!;
    return {
      changes: response.getChanges() === pb.DiffResponse.DiffChanges.DIFF_SOME ? "some" : "none",
      detailed,
      replaces: response.getReplacesList(),
      deleteBeforeReplace: response.getDeletebeforereplace(),
    };
  }

  async create(type: string, inputs: Properties, secrets: Secrets = {}): Promise<Stored> {
    const request = new pb.CreateRequest().setUrn(urn(type)).setType(type).setProperties(encode(inputs, secrets));
    const response = await this.#call("create", request);
    return stored(response.getId(), response.getProperties());
  }

  async read(type: string, { id, outputs }: Stored, inputs: Properties): ReturnType<Provider["read"]> {
    const request = new pb.ReadRequest().setUrn(urn(type)).setType(type).setId(id);
    const response = await this.#call("read", request.setProperties(encode(outputs)).setInputs(encode(inputs)));
    if (response.getId() === "") return undefined;
    return { ...stored(response.getId(), response.getProperties()), inputs: decode(response.getInputs()).values };
  }

  async update(type: string, { id, outputs }: Stored, oldInputs: Properties, news: Properties): Promise<Stored> {
    const request = new pb.UpdateRequest().setUrn(urn(type)).setType(type).setId(id);
    request.setOlds(encode(outputs)).setOldInputs(encode(oldInputs)).setNews(encode(news));
    return stored(id, (await this.#call("update", request)).getProperties());
  }

  async delete(type: string, { id, outputs }: Stored): Promise<void> {
    const request = new pb.DeleteRequest().setUrn(urn(type)).setType(type).setId(id);
    await this.#call("delete", request.setProperties(encode(outputs)));
  }

  async stop(): Promise<void> {
    this.#client.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, "close");
    this.#child.kill();
    await closed;
  }

  #call<Name extends "checkConfig" | "configure" | "check" | "diff" | "create" | "read" | "update" | "delete">(
    name: Name,
    request: object,
  ): Promise<Answers[Name]> {
    const client = this.#client as unknown as Record<string, (request: object, done: Callback) => void>;
    return new Promise((resolve, reject) => {
      client[name]!.call(this.#client, request, (error, response) => {
        if (error === null) resolve(response as Answers[Name]);
        else reject(failure(error));
      });
    });
  }
}

type Callback = (error: grpc.ServiceError | null, response: unknown) => void;

interface Answers {
  readonly checkConfig: InstanceType<typeof pb.CheckResponse>;
  readonly configure: InstanceType<typeof pb.ConfigureResponse>;
  readonly check: InstanceType<typeof pb.CheckResponse>;
  readonly diff: InstanceType<typeof pb.DiffResponse>;
  readonly create: InstanceType<typeof pb.CreateResponse>;
  readonly read: InstanceType<typeof pb.ReadResponse>;
  readonly update: InstanceType<typeof pb.UpdateResponse>;
  readonly delete: unknown;
}

const providerUrn = "urn:pulumi:test::test::pulumi:providers:docker::provider";

function urn(type: string): string {
  return `urn:pulumi:test::test::${type}::thing`;
}

function stored(id: string, properties: Parameters<typeof decode>[0]): Stored {
  const { values, secrets } = decode(properties);
  return { id, outputs: values, secrets };
}

function failure(error: grpc.ServiceError): Error {
  const [packed] = error.metadata.get("grpc-status-details-bin");
  if (packed === undefined) return new Error(error.details);
  const [detail] = statusPb.Status.deserializeBinary(packed as Buffer).getDetailsList();
  if (detail?.getTypeName() !== "pulumirpc.ErrorResourceInitFailed") return new Error(error.details);
  const half = pb.ErrorResourceInitFailed.deserializeBinary(detail.getValue_asU8());
  return new InitFailed(half.getReasonsList().join("\n"), stored(half.getId(), half.getProperties()));
}
