import { PartialFailure } from "../framework/types.ts";
import type { CheckFailure, Context, Properties, ResourceType } from "../framework/types.ts";
import { misfits, withDefaults, withName } from "./check.ts";
import type { Client } from "./client.ts";
import { diffOf } from "./differences.ts";
import type { Fields } from "./fields.ts";
import { planned, refreshedInputs, settled } from "./plan.ts";

type DockerContext = Context<Client>;

/** What differs between the resources; the rest follows from their fields. */
export interface Definition {
  readonly fields: Fields;
  /** Outputs that no input names. */
  readonly outputs: readonly string[];
  readonly secretOutputs?: readonly string[];
  /** What one field alone cannot tell, and what the stand-in does not do. */
  readonly refuse?: (inputs: Properties) => readonly CheckFailure[];
  /** Returns the id. */
  readonly create: (plan: Properties, context: DockerContext) => Promise<string>;
  /** The live properties, or undefined when it is gone. `state` holds what the daemon does not tell. */
  readonly read: (id: string, state: Properties, context: DockerContext) => Promise<Properties | undefined>;
  readonly update?: (id: string, plan: Properties, context: DockerContext) => Promise<void>;
  readonly delete: (id: string, state: Properties, context: DockerContext) => Promise<void>;
}

export function resource(definition: Definition): ResourceType<Client> {
  const { fields } = definition;
  const readBack = async (id: string, plan: Properties, context: DockerContext, isNew: boolean) => {
    const read = await definition.read(id, plan, context);
    if (read === undefined) throw new Error(`${context.urn} vanished while it was read back`);
    return settled(fields, plan, read, isNew);
  };
  return {
    secretOutputs: definition.secretOutputs,
    computed: ["id", ...definition.outputs, ...computedNames(fields)],
    check(news, context) {
      const failures = [...misfits(fields, news), ...(definition.refuse?.(news) ?? [])];
      return { inputs: withName(withDefaults(fields, news), context), failures };
    },
    diff: ({ olds, news }) => diffOf(fields, olds, news),
    async create(inputs, context) {
      const plan = planned(fields, {}, inputs);
      const id = await definition.create(plan, context);
      return { id, outputs: await storing(id, plan, () => readBack(id, plan, context, true)) };
    },
    async read(id, olds, oldInputs, context) {
      const outputs = await definition.read(id, olds, context);
      return outputs && { id, outputs, inputs: refreshedInputs(fields, oldInputs, outputs) };
    },
    update: async ({ id, olds, news }, context) => {
      const plan = planned(fields, olds, news);
      // A failed update is stored as if it had worked, and marked: the next run sends the whole specification again.
      return storing(id, { ...plan, id }, async () => {
        await definition.update?.(id, plan, context);
        return readBack(id, plan, context, false);
      });
    },
    delete: (id, outputs, context) => definition.delete(id, outputs, context),
  };
}

async function storing<Result>(id: string, outputs: Properties, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    throw new PartialFailure(error instanceof Error ? error.message : String(error), id, outputs);
  }
}

function computedNames(fields: Fields): string[] {
  return Object.entries(fields).flatMap(([name, field]) => (field.computed === true ? [name] : []));
}

/** A reader for those resources that the official provider takes for gone whatever the error is. */
export async function orGone<Info>(inspect: Promise<Info>, context: DockerContext): Promise<Info | undefined> {
  try {
    return await inspect;
  } catch (error) {
    // Only a cancelled call is none of the daemon's answers.
    if (context.signal.aborted) throw error;
    return undefined;
  }
}
