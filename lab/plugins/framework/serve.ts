import * as grpc from "@grpc/grpc-js";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import providerRpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import type { EngineLog } from "./engine-log.ts";
import { checkResponse, diffConfig, diffResponse, failureStatus, withSecrets } from "./responses.ts";
import { listen, unary } from "./rpc.ts";
import { unknown } from "./types.ts";
import type { Context, Plugin, Properties, ResourceType } from "./types.ts";
import { decode, encode, union } from "./wire.ts";
import type { Secrets } from "./wire.ts";

/**
 * Runs a plugin: serves the engine's `ResourceProvider` on a free port and prints the port.
 * Secrets and unknowns, previews and detailed diffs are done here, so that a resource type deals in plain values.
 */
export async function serve<Client>(plugin: Plugin<Client>): Promise<void> {
  const server = new Server(plugin, process.argv[2]);
  const service = { definition: providerRpc.ResourceProviderService, implementation: server.implementation() };
  await listen([service], () => {
    server.cancel();
  });
}

class Server<Client> {
  readonly #plugin: Plugin<Client>;
  readonly #cancelled = new AbortController();
  #engineAddress: string | undefined;
  #log: Promise<EngineLog> | undefined;
  #logged: Promise<void> = Promise.resolve();
  #client: Promise<Client> | undefined;

  constructor(plugin: Plugin<Client>, engineAddress: string | undefined) {
    this.#plugin = plugin;
    this.#engineAddress = engineAddress;
  }

  cancel(): void {
    this.#cancelled.abort(new Error("cancelled"));
  }

  implementation(): grpc.UntypedServiceImplementation {
    const empty = () => new emptyPb.Empty();
    return {
      handshake: unary((request: Pb.ProviderHandshakeRequest) => {
        this.#engineAddress = request.getEngineAddress();
        return new pb.ProviderHandshakeResponse().setAcceptSecrets(true);
      }),
      attach: unary((request: InstanceType<typeof pluginPb.PluginAttach>) => {
        this.#engineAddress = request.getAddress();
        return empty();
      }),
      getPluginInfo: unary(() => new pluginPb.PluginInfo().setVersion(this.#plugin.version)),
      getSchema: unary(() => new pb.GetSchemaResponse().setSchema(minimalSchema(this.#plugin))),
      getMapping: unary(() => new pb.GetMappingResponse()),
      getMappings: unary(() => new pb.GetMappingsResponse()),
      cancel: unary(() => {
        this.cancel();
        return empty();
      }),
      checkConfig: unary((request: Pb.CheckRequest) => this.#checkConfig(request)),
      diffConfig: unary((request: Pb.DiffRequest) => diffConfig(request)),
      configure: unary((request: Pb.ConfigureRequest) => this.#configure(request)),
      check: unary((request: Pb.CheckRequest) => this.#check(request)),
      diff: unary((request: Pb.DiffRequest) => this.#diff(request)),
      create: unary((request: Pb.CreateRequest, call) => this.#create(request, call), failureStatus),
      read: unary((request: Pb.ReadRequest, call) => this.#read(request, call)),
      update: unary((request: Pb.UpdateRequest, call) => this.#update(request, call), failureStatus),
      delete: unary(async (request: Pb.DeleteRequest, call) => {
        const outputs = decode(request.getProperties()).values;
        const context = await this.#context(request.getUrn(), call, request.getTimeout());
        const type = this.#type(request.getType(), request.getUrn());
        await this.#finish({}, () => type.delete(request.getId(), outputs, context));
        return empty();
      }),
      invoke: unary((request: Pb.InvokeRequest, call) => this.#invoke(request, call)),
      ...refuse("parameterize", "call", "construct", "list"),
    };
  }

  #checkConfig(request: Pb.CheckRequest): Pb.CheckResponse {
    const news = decode(request.getNews());
    const failures = Object.keys(news.values)
      .filter((key) => !this.#plugin.config.includes(key) && !engineArguments.includes(key))
      .map((property) => ({ property, reason: "unknown provider argument" }));
    return checkResponse(news.values, news.secrets, failures);
  }

  async #configure(request: Pb.ConfigureRequest): Promise<Pb.ConfigureResponse> {
    const args = Object.entries(decode(request.getArgs()).values);
    const values = Object.fromEntries(args.filter(([key]) => !engineArguments.includes(key)));
    this.#client ??= (async () => this.#plugin.configure(values))();
    await this.#client;
    return new pb.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true);
  }

  #check(request: Pb.CheckRequest): Pb.CheckResponse {
    const news = decode(request.getNews());
    const context = {
      urn: request.getUrn(),
      olds: decode(request.getOlds()).values,
      randomSeed: request.getRandomseed_asU8(),
    };
    const type = this.#type(request.getType(), request.getUrn());
    const checked = type.check(news.values, context);
    return checkResponse(checked.inputs, outputSecrets(type, news.secrets), checked.failures);
  }

  #diff(request: Pb.DiffRequest): Pb.DiffResponse {
    const olds = decode(request.getOlds()).values;
    const oldInputs = decode(request.getOldInputs()).values;
    const news = decode(request.getNews()).values;
    const diff = this.#type(request.getType(), request.getUrn()).diff({ id: request.getId(), olds, oldInputs, news });
    return diffResponse(diff, { olds, oldInputs, news }, request.getIgnorechangesList());
  }

  async #create(request: Pb.CreateRequest, call: Call): Promise<Pb.CreateResponse> {
    const type = this.#type(request.getType(), request.getUrn());
    const inputs = decode(request.getProperties());
    const secrets = outputSecrets(type, inputs.secrets);
    if (request.getPreview()) {
      const planned = { ...unknowns(type.computed), ...inputs.values };
      return new pb.CreateResponse().setProperties(encode(planned, secrets));
    }
    const context = await this.#context(request.getUrn(), call, request.getTimeout());
    const created = await this.#finish(secrets, () => type.create(inputs.values, context));
    return new pb.CreateResponse().setId(created.id).setProperties(encode(created.outputs, secrets));
  }

  async #update(request: Pb.UpdateRequest, call: Call): Promise<Pb.UpdateResponse> {
    const type = this.#type(request.getType(), request.getUrn());
    const olds = decode(request.getOlds()).values;
    const news = decode(request.getNews());
    const secrets = outputSecrets(type, news.secrets);
    if (request.getPreview()) {
      const kept = Object.fromEntries(type.computed.map((key) => [key, olds[key]]));
      const planned = { ...kept, ...unknowns(type.volatile ?? []), ...news.values };
      return new pb.UpdateResponse().setProperties(encode(planned, secrets));
    }
    const update = type.update?.bind(type);
    if (update === undefined) throw new Error(`${request.getType()} cannot be updated in place`);
    const context = await this.#context(request.getUrn(), call, request.getTimeout());
    const oldInputs = decode(request.getOldInputs()).values;
    const args = { id: request.getId(), olds, oldInputs, news: news.values };
    const outputs = await this.#finish(secrets, () => update(args, context));
    return new pb.UpdateResponse().setProperties(encode(outputs, secrets));
  }

  async #read(request: Pb.ReadRequest, call: Call): Promise<Pb.ReadResponse> {
    const type = this.#type(request.getType(), request.getUrn());
    const olds = decode(request.getProperties());
    const oldInputs = decode(request.getInputs());
    const response = new pb.ReadResponse();
    if (type.read === undefined) {
      // The real provider can't look either: what is stored is all there is to say.
      return response.setId(request.getId()).setProperties(request.getProperties()).setInputs(request.getInputs());
    }
    const context = await this.#context(request.getUrn(), call, request.getTimeout());
    const live = await type.read(request.getId(), olds.values, oldInputs.values, context);
    if (live === undefined) return response; // No id: the engine drops it from the state.
    const secrets = union(olds.secrets, oldInputs.secrets);
    return response
      .setId(live.id)
      .setProperties(encode(live.outputs, outputSecrets(type, secrets)))
      .setInputs(encode(live.inputs, secrets));
  }

  async #invoke(request: Pb.InvokeRequest, call: Call): Promise<Pb.InvokeResponse> {
    const run = this.#plugin.functions?.[request.getTok()];
    if (run === undefined) throw new Error(`unknown function ${request.getTok()}`);
    const context = await this.#context("", call, 0);
    const result = await this.#finish({}, () => run(decode(request.getArgs()).values, context));
    return new pb.InvokeResponse().setReturn(encode(result));
  }

  #type(token: string, urn: string): ResourceType<Client> {
    const name = token === "" ? (urn.split("::")[2]?.split("$").at(-1) ?? "") : token;
    const type = this.#plugin.resources[name];
    if (type === undefined) throw new Error(`unknown resource type ${name}`);
    return type;
  }

  async #context(urn: string, call: Call, timeoutSeconds: number): Promise<Context<Client>> {
    if (this.#client === undefined) throw new Error("the engine did not configure the plugin before its first use");
    const signals = [this.#cancelled.signal, callEnd(call)];
    if (timeoutSeconds > 0) signals.push(AbortSignal.timeout(timeoutSeconds * 1000));
    return {
      urn,
      client: await this.#client,
      signal: AbortSignal.any(signals),
      log: (severity, message, kind = "line") => {
        // One after the other: lines keep their order.
        this.#logged = this.#logged.then(async () => (await this.#engineLog())?.write(urn, severity, message, kind));
      },
    };
  }

  /** Answers only after what was logged has arrived: the engine may close right after. */
  async #finish<Result>(secrets: Secrets, operation: () => Promise<Result>): Promise<Result> {
    try {
      return await withSecrets(secrets, operation);
    } finally {
      await this.#logged;
    }
  }

  /** Loaded on first use: most plugins never write a line. */
  async #engineLog(): Promise<EngineLog | undefined> {
    const address = this.#engineAddress;
    if (address === undefined || address === "") return undefined;
    this.#log ??= import("./engine-log.ts").then(({ EngineLog }) => new EngineLog(address));
    return this.#log;
  }
}

type Call = ServerUnaryCall<unknown, unknown>;

/** Arguments that the engine adds for itself. */
const engineArguments = ["version", "pluginDownloadURL", "__internal"];

function callEnd(call: Call): AbortSignal {
  const ended = new AbortController();
  call.once("cancelled", () => {
    ended.abort(new Error("the engine gave up waiting"));
  });
  return ended.signal;
}

/** What came in secret, and what always is. */
function outputSecrets<Client>(type: ResourceType<Client>, secrets: Secrets): Secrets {
  return union(secrets, Object.fromEntries((type.secretOutputs ?? []).map((key) => [key, true as const])));
}

function unknowns(keys: readonly string[]): Properties {
  return Object.fromEntries(keys.map((key) => [key, unknown]));
}

function refuse(...methods: readonly string[]): grpc.UntypedServiceImplementation {
  const unimplemented = (method: string) => ({ code: grpc.status.UNIMPLEMENTED, details: `${method} is not offered` });
  return Object.fromEntries(
    methods.map((method) => [
      method,
      (call: { emit(event: "error", status: object): void }, callback?: (status: object) => void) => {
        if (callback === undefined) call.emit("error", unimplemented(method));
        else callback(unimplemented(method));
      },
    ]),
  );
}

/** Enough for `pulumi package get-schema`; programs use the official SDKs. */
function minimalSchema<Client>(plugin: Plugin<Client>): string {
  return JSON.stringify({
    name: plugin.name,
    version: plugin.version,
    resources: Object.fromEntries(Object.keys(plugin.resources).map((token) => [token, {}])),
    functions: Object.fromEntries(Object.keys(plugin.functions ?? {}).map((token) => [token, {}])),
  });
}
