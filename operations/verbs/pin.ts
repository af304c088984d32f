import { parseImageRef } from "../../components/shared/image-ref.ts";
import { physicalName } from "../../components/shared/naming.ts";
import type { StackRef } from "../pulumi.ts";
import {
  imagePins,
  isRecord,
  readStackFile,
  textValue,
  withChanges,
  writeStackFile,
  type StackFile,
} from "../stack-file.ts";
import { table } from "../table.ts";
import {
  exitCodes,
  OperatorError,
  stackOptions,
  stackOptionsHelp,
  text,
  usageError,
  type Context,
  type Verb,
} from "../verb.ts";

export const verb: Verb = {
  usage: "<stack> name=tag [name=tag …]",
  help: [
    "Asks the registry for the digests behind the tags, from the machine that will pull them, and writes the pins",
    "into the stack file; every other line of it stays as it is. All tags are looked up before anything is written.",
    "Nothing is deployed: read the diff, commit, `pulumi up`.",
    "",
    "The repository is that of the present pin; an image pinned for the first time is looked for at",
    "<registry address>/<system>-<name>.",
    "",
    stackOptionsHelp,
    "",
    "Example: npm run berth -- pin production api=1.4.3 worker=1.4.3",
  ].join("\n"),
  options: stackOptions,
  positionals: { min: 2, max: Infinity },
  async run(context, [stack = "", ...requests], flags) {
    const configFile = text(flags, "config-file");
    await pin(context, { root: context.root, stack, configFile }, requests.map(parseRequest));
    return exitCodes.done;
  },
};

export interface PinRequest {
  readonly name: string;
  readonly tag: string;
}

export function parseRequest(argument: string): PinRequest {
  const match = /^(?<name>[^=]+)=(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/.exec(argument);
  const { name, tag } = match?.groups ?? {};
  if (name === undefined || tag === undefined) {
    throw usageError(`berth: is not name=tag, got ${JSON.stringify(argument)}; write for example api=1.4.3`);
  }
  return { name, tag };
}

export async function pin(context: Context, ref: StackRef, requests: readonly PinRequest[]): Promise<void> {
  const twice = requests.find(({ name }, index) => requests.findIndex((other) => other.name === name) !== index);
  if (twice) throw usageError(`berth pin: ${twice.name}: is given twice; give each name one tag`);
  const file = readStackFile(ref);
  const pins = imagePins(file);
  const wanted = await withRepositories(ref, file, pins, requests);
  const resolved = await resolve(context, wanted, Object.keys(pins), ref, file);

  const changed = resolved.filter(({ name, pin }) => pins[name] !== pin);
  const text = withChanges(
    file,
    changed.map(({ name, pin }) => ({ path: ["images", name], value: pin })),
  );
  if (changed.length > 0) writeStackFile(file.path, text);
  context.print(
    table(
      ["image", "old", "", "new"],
      resolved.map(({ name, pin }) => {
        const old = pins[name];
        return [name, old === undefined ? "–" : shown(old), "→", old === pin ? "the same" : shown(pin)];
      }),
    ),
  );
  context.note(
    changed.length > 0 ? `written to ${file.path}; next: pulumi up` : "every pin is already so; nothing written",
  );
}

interface Wanted extends PinRequest {
  readonly repository: string;
}

async function withRepositories(
  ref: StackRef,
  file: StackFile,
  pins: Readonly<Record<string, string>>,
  requests: readonly PinRequest[],
): Promise<Wanted[]> {
  const fresh = requests.filter(({ name }) => pins[name] === undefined);
  // Reading the system costs time, and only an image that was never pinned needs it.
  const used = fresh.length > 0 ? await imagesOfSystem(ref.root, textValue(file, "system")) : [];
  const known = [...new Set([...Object.keys(pins), ...used])].sort();
  const unknown = fresh.filter(({ name }) => !used.includes(name));
  if (unknown.length > 0) {
    throw new OperatorError(
      unknown
        .map(
          ({ name, tag }) =>
            `${name}=${tag}: no image has this name, got ${JSON.stringify(name)}; use one of ${known.join(", ")}`,
        )
        .join("\n"),
    );
  }
  return requests.map((request) => {
    const present = pins[request.name];
    return {
      ...request,
      repository: present === undefined ? newRepository(file, request.name) : parseImageRef(present).repository,
    };
  });
}

async function resolve(
  context: Context,
  wanted: readonly Wanted[],
  known: readonly string[],
  ref: StackRef,
  file: StackFile,
): Promise<{ name: string; pin: string }[]> {
  const registry = await context.openRegistry(ref, file);
  try {
    const digests = await Promise.all(
      wanted.map(async ({ repository, tag }) => registry.digest(`${repository}:${tag}`)),
    );
    const problems: string[] = [];
    const pins = wanted.map(({ name, tag, repository }, index) => {
      const digest = digests[index];
      if (digest === undefined) {
        problems.push(
          `${name}=${tag}: the registry has no such image, got ${repository}:${tag}; push it or use another tag ` +
            `(known names: ${known.join(", ")})`,
        );
      }
      return { name, pin: `${repository}:${tag}@${digest ?? ""}` };
    });
    if (problems.length > 0) throw new OperatorError([...problems, "nothing was written"].join("\n"));
    return pins;
  } finally {
    registry.close();
  }
}

function newRepository(file: StackFile, name: string): string {
  const registry = file.values["registry"];
  const address = isRecord(registry) ? registry["address"] : undefined;
  if (typeof address !== "string") {
    throw new OperatorError(`${file.path}: berth:registry.address: is missing; write the registry's address`);
  }
  return `${address}/${physicalName(textValue(file, "system"), name)}`;
}

async function imagesOfSystem(root: string, system: string): Promise<string[]> {
  const { imageKeys } = await import("../system.ts");
  return [...new Set(Object.values(await imageKeys(root, system)))];
}

/** Tag and the beginning of the digest: enough to compare with a registry's page. */
function shown(ref: string): string {
  const { repository, tag, digest } = parseImageRef(ref);
  return `${tag ?? repository}${digest === undefined ? "" : ` ${digest.slice(0, "sha256:".length + 12)}`}`;
}
