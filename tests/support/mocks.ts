import * as pulumi from "@pulumi/pulumi";

/** A resource as the program registered it. */
export interface Recorded {
  readonly type: string;
  readonly name: string;
  /** Inputs with secrets laid open; unset ones are left out. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** Paths of the inputs that were marked secret, for example `connection.privateKey`. */
  readonly secrets: readonly string[];
  /** Names of other resources. */
  readonly parent: string | undefined;
  readonly provider: string | undefined;
  readonly dependsOn: readonly string[];
  readonly protect: boolean;
  readonly retainOnDelete: boolean;
  readonly deleteBeforeReplace: boolean | undefined;
  readonly ignoreChanges: readonly string[];
  /** Names of the hooks that are told when writing it fails. */
  readonly onError: readonly string[];
}

export class Recording<Result> {
  readonly resources: readonly Recorded[];
  /** What the program returned. */
  readonly result: Result;

  constructor(resources: readonly Recorded[], result: Result) {
    this.resources = resources;
    this.result = result;
  }

  /** The one resource of a name (and type, where a component and its child share the name). */
  get(name: string, type?: string): Recorded {
    const found = this.resources.filter((one) => one.name === name && (type === undefined || one.type === type));
    if (found.length === 1 && found[0]) return found[0];
    const known = this.resources.map((one) => `${one.name} (${one.type})`).join(", ");
    throw new Error(`${found.length} resources are called ${name}; there are ${known}`);
  }

  /** Name and type of all resources, sorted: registration order is not fixed. */
  names(): string[] {
    return this.resources.map((one) => `${one.name} ${one.type}`).toSorted();
  }
}

export interface MockOptions {
  readonly preview?: boolean;
  /** Outputs beyond the inputs, by resource; those of the providers in use are imitated already. */
  readonly outputs?: (resource: pulumi.runtime.MockResourceArgs) => Record<string, unknown>;
}

/**
 * Runs a program against a recorder in place of the engine, to the end of all its registrations. Load components
 * inside of it with `await import(…)`: what a module does at its first import belongs to the program.
 */
export async function record<Result>(
  program: () => Result | Promise<Result>,
  options: MockOptions = {},
): Promise<Recording<Result>> {
  const resources: Recorded[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: (args) => ({
        id: args.type === randomPassword ? "none" : `${args.name}-id`,
        state: { ...(args.inputs as object), ...imitate(args), ...options.outputs?.(args) },
      }),
      call: ({ token }) => {
        throw new Error(`no mock for the function ${token}`);
      },
    },
    "berth",
    "test",
    options.preview ?? false,
  );
  listen((request) => resources.push(read(request)));
  const result = await program();
  await pulumi.runtime.disconnect();
  return new Recording(resources, result);
}

/** The value of an output; secrets too. */
export function promiseOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply(resolve));
}

const randomPassword = "random:index/randomPassword:RandomPassword";

/** What providers compute, as far as programs build on it. */
function imitate({ type, name, inputs }: pulumi.runtime.MockResourceArgs): Record<string, unknown> {
  const given = inputs as Record<string, unknown>;
  // Autonaming adds a suffix to the logical name.
  const named = type.startsWith("docker:") && !type.includes("Provider") && !given["name"];
  return {
    ...(named && { name: `${name}-0123456` }),
    ...(type === randomPassword && { result: `generated-${name}` }),
    ...(type.startsWith("command:") && { stdout: "", stderr: "" }),
  };
}

/** The mock monitor keeps parents, providers and options to itself; the request has them all. */
interface Request {
  getType(): string;
  getName(): string;
  getObject(): Parameters<typeof pulumi.runtime.deserializeProperties>[0];
  getParent(): string;
  getProvider(): string;
  getDependenciesList(): string[];
  getProtect(): boolean;
  getRetainondelete(): boolean;
  getDeletebeforereplace(): boolean;
  getDeletebeforereplacedefined(): boolean;
  getIgnorechangesList(): string[];
  getHooks(): { getOnErrorList(): string[] } | undefined;
}

function listen(hear: (request: Request) => void): void {
  const monitor = pulumi.runtime.getMonitor() as unknown as {
    registerResource: (...args: unknown[]) => unknown;
    registerErrorHook: (request: unknown, done: (error: null) => void) => void;
  };
  // Nothing fails here: hooks are noted with the resources and never called.
  monitor.registerErrorHook = (_request, done) => {
    done(null);
  };
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (...args) => {
    hear(args[0] as Request);
    return register(...args);
  };
}

function read(request: Request): Recorded {
  const secrets: string[] = [];
  const inputs = open(pulumi.runtime.deserializeProperties(request.getObject()), "", secrets);
  return {
    type: request.getType(),
    name: request.getName(),
    inputs: inputs as Record<string, unknown>,
    secrets: secrets.toSorted(),
    parent: nameOf(request.getParent()),
    provider: nameOf(request.getProvider()),
    dependsOn: request
      .getDependenciesList()
      .map((urn) => nameOf(urn) ?? "")
      .toSorted(),
    protect: request.getProtect(),
    retainOnDelete: request.getRetainondelete(),
    deleteBeforeReplace: request.getDeletebeforereplacedefined() ? request.getDeletebeforereplace() : undefined,
    ignoreChanges: request.getIgnorechangesList(),
    onError: request.getHooks()?.getOnErrorList() ?? [],
  };
}

/** `urn:pulumi:stack::project::type::name`, with `::id` after it where a provider is meant. */
function nameOf(reference: string): string | undefined {
  return reference === "" ? undefined : reference.split("::")[3];
}

/** Takes secrets out of their envelopes and notes where they were. */
function open(value: unknown, path: string, secrets: string[]): unknown {
  if (pulumi.runtime.isRpcSecret(value)) {
    secrets.push(path);
    return open(pulumi.runtime.unwrapRpcSecret(value), path, secrets);
  }
  if (Array.isArray(value)) return value.map((item, index) => open(item, `${path}[${index}]`, secrets));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, open(item, path ? `${path}.${key}` : key, secrets)]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}
