/** Properties on their way between engine and plugin: plain JSON, secrets unwrapped, `unknown` where not known yet. */
export type Properties = Record<string, unknown>;

/** Stands for a value that only an update will bring; appears in inputs during a preview. */
export const unknown: unique symbol = Symbol("unknown until the update");

export interface CheckFailure {
  /** Path of the offending property, for example `taskSpec.containerSpec.image`. */
  readonly property: string;
  readonly reason: string;
}

export interface Diff {
  /** Changed properties as paths, for example `taskSpec.containerSpec.image`; none means no change. */
  readonly changes: readonly string[];
  /** The changed properties that force a replacement. */
  readonly replaces: readonly string[];
  /** Delete the old one before the new one is created. */
  readonly deleteBeforeReplace: boolean;
}

/** What a plugin knows about the resource it is asked for. */
export interface Context<Client> {
  readonly urn: string;
  /** The provider's connection, made by `configure`. */
  readonly client: Client;
  /** Aborted when the engine cancels (Ctrl-C) or when the resource's custom timeout is over. */
  readonly signal: AbortSignal;
  /** Shows a line beside the resource; a `status` lasts only while the operation runs. Absent in tests. */
  readonly log?: (severity: LogSeverity, message: string, kind?: "line" | "status") => void;
}

export type LogSeverity = "debug" | "info" | "warning" | "error";

/**
 * One resource type of a stand-in plugin, for example `docker:index/network:Network`.
 * The framework marks every output secret whose input came in as a secret, and those in `secretOutputs`.
 */
export interface ResourceType<Client> {
  /** Always secret, as inputs too where they are both. */
  readonly secretOutputs?: readonly string[];
  /** Outputs, besides the inputs, that are unknown in the preview of a create (and of an update when listed in `volatile`). */
  readonly computed: readonly string[];
  /** Outputs that any update may change, so that its preview shows them as unknown. */
  readonly volatile?: readonly string[];
  /** Fills in defaults and autonames and refuses what the real provider refuses; an unknown property is a failure. */
  check(
    news: Properties,
    context: { urn: string; olds: Properties; randomSeed: Uint8Array },
  ): {
    readonly inputs: Properties;
    readonly failures: readonly CheckFailure[];
  };
  /** `olds` are the stored outputs, `oldInputs` the stored inputs. */
  diff(args: { id: string; olds: Properties; oldInputs: Properties; news: Properties }): Diff;
  create(inputs: Properties, context: Context<Client>): Promise<{ id: string; outputs: Properties }>;
  /** The live state, or undefined when it is gone. Missing when the real provider cannot read either. */
  read?(
    id: string,
    olds: Properties,
    oldInputs: Properties,
    context: Context<Client>,
  ): Promise<{ id: string; inputs: Properties; outputs: Properties } | undefined>;
  update?(
    args: { id: string; olds: Properties; oldInputs: Properties; news: Properties },
    context: Context<Client>,
  ): Promise<Properties>;
  delete(id: string, outputs: Properties, context: Context<Client>): Promise<void>;
}

/** A whole stand-in plugin; `serve(plugin)` in `serve.ts` runs it. */
export interface Plugin<Client> {
  /** As in `pulumi-resource-<name>`. */
  readonly name: string;
  /** Version of the official plugin whose behaviour it follows. */
  readonly version: string;
  /** Accepted provider arguments; anything else is a check failure. */
  readonly config: readonly string[];
  /** Connects, or prepares to: called once per process with the provider's arguments. */
  configure(values: Properties): Client | Promise<Client>;
  readonly resources: Readonly<Record<string, ResourceType<Client>>>;
  /** Functions (`invoke`), for example `command:local:run`. */
  readonly functions?: Readonly<Record<string, (args: Properties, context: Context<Client>) => Promise<Properties>>>;
}

/** A create or update that failed half-way: the resource is stored with its outputs and marked as not initialised. */
export class PartialFailure extends Error {
  readonly id: string;
  readonly outputs: Properties;
  constructor(message: string, id: string, outputs: Properties) {
    super(message);
    this.id = id;
    this.outputs = outputs;
  }
}
