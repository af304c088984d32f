import { randomBytes } from "node:crypto";
import { structuralDiff } from "../framework/diff.ts";
import { misfits, object, oneOf } from "../framework/shape.ts";
import type { Required, Shape } from "../framework/shape.ts";
import type { CheckFailure, Context, Properties, ResourceType } from "../framework/types.ts";

/** What a finished command has said. */
export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command with the settings of a resource; `previous` is what it said the last time. */
export type Run = (
  command: string,
  settings: Properties,
  previous: Output,
  context: Context<undefined>,
) => Promise<Output>;

export const logging = oneOf("stdout", "stderr", "stdoutAndStderr", "none");

/** The life of a Command, which is the same for local and remote ones. */
export function commandResource(
  inputs: Readonly<Record<string, Shape | Required>>,
  run: Run,
  options: {
    readonly secretOutputs?: readonly string[];
    readonly prepare?: (news: Properties) => { inputs: Properties; failures: CheckFailure[] };
  } = {},
): ResourceType<undefined> {
  const silent: Output = { stdout: "", stderr: "" };
  return {
    secretOutputs: options.secretOutputs ?? [],
    computed: ["stdout", "stderr"],
    volatile: ["stdout", "stderr"],
    check(news) {
      const failures = misfits(object(inputs), news);
      if (failures.length > 0) return { inputs: news, failures };
      return options.prepare?.(news) ?? { inputs: news, failures };
    },
    // That a trigger replaces is the SDK's doing (`replaceOnChanges`), not the plugin's.
    diff: ({ oldInputs, news }) => structuralDiff(oldInputs, news),
    async create(news, context) {
      const { create } = news;
      const output = typeof create === "string" ? await run(create, news, silent, context) : silent;
      const name = context.urn.split("::").at(-1) ?? "";
      return { id: name + randomBytes(4).toString("hex"), outputs: { ...news, ...output } };
    },
    async update({ olds, news }, context) {
      const command = news["update"] ?? news["create"];
      const previous = said(olds);
      const output = typeof command === "string" ? await run(command, news, previous, context) : previous;
      return { ...news, ...output };
    },
    async delete(_id, outputs, context) {
      const command = outputs["delete"];
      if (typeof command === "string") await run(command, outputs, said(outputs), context);
    },
  };
}

/** The previous output as the variables that the next run may read. */
export function previousOutput(settings: Properties, previous: Output): Record<string, string> {
  if (settings["addPreviousOutputInEnv"] === false) return {};
  return {
    ...(previous.stdout === "" ? {} : { PULUMI_COMMAND_STDOUT: previous.stdout }),
    ...(previous.stderr === "" ? {} : { PULUMI_COMMAND_STDERR: previous.stderr }),
  };
}

function said(outputs: Properties): Output {
  const { stdout, stderr } = outputs;
  return { stdout: typeof stdout === "string" ? stdout : "", stderr: typeof stderr === "string" ? stderr : "" };
}
