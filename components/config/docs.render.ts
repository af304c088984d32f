import { z } from "zod";
import { stackSchema } from "./stack.ts";
import { systemSchema } from "./system.ts";

/* docs/configuration.md and docs/stack.schema.json, from the descriptions and defaults of the schemas. */

type Schema = z.core.$ZodType;
type Shape = Readonly<Record<string, Schema>>;
interface Row {
  readonly key: string;
  readonly schema: Schema;
  /** Kinds of the surrounding union that have this field, if not all of them do. */
  readonly kinds?: readonly string[];
}

const intro = `# Configuration

Made from the schemas in \`components/config\` by \`npm run docs\`; change the descriptions there.

A **stack file**, \`Pulumi.<stack>.yaml\`, says where a system runs, how big it is and in which versions. A **system**,
\`systems/<name>/system.ts\`, says what runs, the same everywhere. Both are judged before anything is contacted, and
everything wrong is reported at once as \`path: what is wrong, got …; what to do\`: paths that begin with \`berth:\` are in
the stack file, paths that begin with \`system.\` in the system. Keys that are not listed here are refused.

A duration is a number, a blank and \`ms\`, \`seconds\`, \`minutes\` or \`hours\`: \`"30 seconds"\`. A size is a number, a blank
and \`KB\`, \`MB\` or \`GB\`, powers of 1024: \`"512 MB"\`. A name has lower-case letters, digits and hyphens, starts with a
letter and has at most 30 characters.

## Pins

Every image is pinned under \`berth:images\`. In staging and production a pin is \`repository:tag@sha256:…\`;
\`npm run berth -- pin <stack> <key>=<tag>\` asks the registry for the digest and edits the file. In the local environment
a tag without a digest is taken too, but a release is verified only as far as its pins go. \`latest\`, or no tag at all,
is refused everywhere.

## Secrets

The file holds few: most are generated and kept encrypted in the state. \`pulumi config set --secret\` encrypts what is
supplied; a secret that stands in clear in the file is refused.

| Key | Meaning |
|---|---|
| \`<system>:<NAME>\` | A secret that the system declares with \`kind: "supplied"\` |
| \`berth:sshKey\` | Private key for SSH to the hosts; without it the SSH agent is asked |
| \`berth:dnsToken\` | Token for challenges by DNS, with no rights but to find the zone and to edit its DNS; kept on the edge hosts |
| \`berth:originPullKey\` | Private key, PEM, of \`cloudflare.originPulls.certificate\` |
| \`berth:unlockKey\` | Key of locked managers, as \`berth unlock --save\` keeps it; only that verb reads it |
| \`cloudflare:apiToken\` | Token that may edit the zone; \`CLOUDFLARE_API_TOKEN\` in the environment does as well |
`;

const systemHeading = `## The system

\`systems/<name>/system.ts\` exports it, as \`export default defineSystem({ … })\`. A new system starts as a copy of a folder
under \`systems\`; the editor completes and checks its fields.`;

export function renderConfigurationDocs(): string {
  const sections: string[] = [];
  const seen = new Set<Schema>();
  describe(
    "",
    stackSchema,
    seen,
    sections,
    "## The stack file\n\nEach key of this table stands in the file as `berth:<key>`.",
  );
  describe("", systemSchema, seen, sections, systemHeading);
  return [intro, ...sections].join("\n");
}

/** A section for a mapping, then one for each mapping in it that has not been described yet. */
function describe(title: string, schema: Schema, seen: Set<Schema>, sections: string[], heading?: string): void {
  if (seen.has(schema)) return;
  seen.add(schema);
  const all = rows(schema);
  const head = heading ?? `### \`${title}\``;
  const meaning = heading === undefined ? description(schema) : undefined;
  sections.push([head, "", ...(meaning === undefined ? [] : [`${meaning}.`, ""]), ...table(all), ""].join("\n"));
  for (const row of all) {
    const [child, suffix] = unwrap(row.schema);
    if (child && rows(child).length > 0) describe(join(title, row.key + suffix), child, seen, sections);
  }
}

const join = (title: string, key: string): string => (title === "" ? key : `${title}.${key}`);

function table(all: readonly Row[]): string[] {
  return [
    "| Key | Value | Default | Meaning |",
    "|---|---|---|---|",
    ...all.map(({ key, schema, kinds }) => {
      const meaning = [kinds && `(${kinds.join(", ")})`, description(schema)].filter((part) => part !== undefined);
      return `| ${[`\`${key}\``, valueOf(schema), defaultOf(schema), meaning.join(" ")].map(cell).join(" | ")} |`;
    }),
  ];
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** Fields of a mapping; those of a union of kinds in one list. */
function rows(schema: Schema): Row[] {
  const def = defOf(schema);
  if (def.type === "object") return Object.entries(def.shape as Shape).map(([key, field]) => ({ key, schema: field }));
  if (def.type !== "union") return [];
  const options = (def.options as Schema[]).map((option) => defOf(option).shape as Shape | undefined);
  const shapes = options.filter((shape) => shape !== undefined);
  if (def.discriminator === undefined) return shapes.flatMap((shape) => Object.entries(shape)).map(toRow);
  return unionRows(shapes, def.discriminator as string);
}

const toRow = ([key, schema]: [string, Schema]): Row => ({ key, schema });

function unionRows(shapes: readonly Shape[], discriminator: string): Row[] {
  const kindOf = (shape: Shape): string => literals(shape[discriminator]).join();
  const merged: { key: string; schema: Schema; kinds: string[] }[] = [];
  for (const shape of shapes) {
    for (const [key, schema] of Object.entries(shape)) {
      const same = merged.find((row) => row.key === key && row.schema === schema);
      if (same) same.kinds.push(kindOf(shape));
      else merged.push({ key, schema, kinds: [kindOf(shape)] });
    }
  }
  const ordered = [
    ...merged.filter(({ key }) => key === discriminator),
    ...merged.filter(({ key }) => key !== discriminator),
  ];
  return ordered.map((row) => {
    const shared = row.kinds.length === shapes.length || row.key === discriminator;
    return shared ? toRow([row.key, row.schema]) : row;
  });
}

/** The mapping inside a field, and how a path goes on to it. */
function unwrap(schema: Schema): [schema: Schema | undefined, suffix: string] {
  const def = defOf(schema);
  if ("innerType" in def) return unwrap(def.innerType as Schema);
  if (def.type === "array") return step(def.element as Schema, "[]");
  if (def.type === "record") return step(def.valueType as Schema, ".<name>");
  return [def.type === "object" || def.type === "union" ? schema : undefined, ""];
}

function step(schema: Schema, suffix: string): [schema: Schema | undefined, suffix: string] {
  const [child, rest] = unwrap(schema);
  return [child, suffix + rest];
}

function valueOf(schema: Schema): string {
  const def = defOf(schema);
  const title = z.globalRegistry.get(schema)?.title;
  if (title !== undefined) return title;
  if ("innerType" in def) return valueOf(def.innerType as Schema);
  switch (def.type) {
    case "array":
      return `list of ${plural(valueOf(def.element as Schema))}`;
    case "record":
      return `${plural(valueOf(def.valueType as Schema))} by name`;
    case "union": {
      const plain = (def.options as Schema[]).filter((option) => defOf(option).type !== "object");
      return ["mapping", ...plain.map(valueOf)].join(" or ");
    }
    case "enum":
    case "literal":
      return literals(schema)
        .map((value) => `\`${value}\``)
        .join(", ");
    case "object":
      return "mapping";
    case "number":
      return (schema as z.ZodNumber).format === "safeint" ? "whole number" : "number";
    case "boolean":
      return "`true`, `false`";
    default:
      return "text";
  }
}

const plural = (value: string): string => (value === "text" ? "texts" : value.endsWith("s") ? value : `${value}s`);

function literals(schema: Schema | undefined): string[] {
  const values = schema ? [...(schema as z.ZodLiteral)._zod.values] : [];
  return values.map(String);
}

function defaultOf(schema: Schema): string {
  const def = defOf(schema);
  if (def.type === "optional") return "";
  if (def.type === "prefault") return "see below";
  if (def.type !== "default") return "required";
  const value = def.defaultValue;
  const empty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return empty ? "none" : `\`${typeof value === "string" ? value : JSON.stringify(value)}\``;
}

/** The description nearest to the outside. */
function description(schema: Schema): string | undefined {
  const own = z.globalRegistry.get(schema)?.description;
  if (own !== undefined) return own;
  const def = defOf(schema);
  return "innerType" in def ? description(def.innerType as Schema) : undefined;
}

function defOf(schema: Schema): z.core.$ZodTypeDef & Record<string, unknown> {
  return schema._zod.def as z.core.$ZodTypeDef & Record<string, unknown>;
}

/** JSON schema of `Pulumi.<stack>.yaml`, for editors. */
export function renderStackJsonSchema(): string {
  const stack = z.toJSONSchema(stackSchema, { io: "input", unrepresentable: "any" }) as {
    properties: Record<string, unknown>;
    required: string[];
  };
  const secure = { type: "object", properties: { secure: { type: "string" } }, required: ["secure"] };
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "Stack file of berth",
    type: "object",
    properties: {
      config: {
        type: "object",
        properties: {
          ...Object.fromEntries(Object.entries(stack.properties).map(([key, value]) => [`berth:${key}`, value])),
          "berth:sshKey": { description: "Private key for SSH to the hosts", ...secure },
          "berth:dnsToken": { description: "Token for challenges by DNS", ...secure },
          "berth:unlockKey": { description: "Key of locked managers", ...secure },
          "cloudflare:apiToken": { description: "Token that may edit the zone", ...secure },
        },
        patternProperties: { "^(?!berth:)[^:]+:": {} },
        required: stack.required.map((key) => `berth:${key}`),
        additionalProperties: false,
      },
    },
    required: ["config"],
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
