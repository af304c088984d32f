import { readFileSync } from "node:fs";
import { stackOutputs, up, type StackRef } from "../pulumi.ts";
import { releasesFrom } from "../release-list.ts";
import { planRollback, type Goal, type Plan } from "../rollback.plan.ts";
import { imagePins, readStackFile, withChanges, writeStackFile, type StackFile } from "../stack-file.ts";
import {
  exitCodes,
  OperatorError,
  stackOptions,
  stackOptionsHelp,
  text,
  usageError,
  type Context,
  type Registry,
  type Verb,
} from "../verb.ts";
import { parseRequest } from "./pin.ts";

export const verb: Verb = {
  usage: "<stack> [--to N | --to-tag name=tag] [--yes]",
  help: [
    "Goes back to an earlier release: writes its pins and settings into the stack file and runs `pulumi up`, which",
    "shows its preview, asks, applies and verifies that what is pinned is what runs. Afterwards the next plain",
    "`pulumi up` has nothing to do.",
    "",
    "Without --to it is the release before the live one; when the stack file asks for something that never went live,",
    "such as a release that failed, it is the live one. Every image of the release must still be at the registry:",
    "that is looked up first, and if one is missing nothing is touched. The hosts need not have it.",
    "",
    "  --to N              release number, see `npm run berth -- releases <stack>`",
    "  --to-tag name=tag   newest release in which this image had this tag",
    "  --yes               do not ask; without anybody to read it, the preview is left out too",
    stackOptionsHelp,
    "",
    "Declined, or refused before anything was changed: the stack file is put back. An update that began and failed",
    "leaves it as written: then the file names what was asked for, as after every failed `pulumi up`, and the same",
    "`pulumi up` goes on; `rollback` once more goes back to what is live. Exit code: that of `pulumi up`.",
    "Data is not rolled back: a migration that an older version cannot live with needs a restore.",
  ].join("\n"),
  options: {
    ...stackOptions,
    to: { type: "string" },
    "to-tag": { type: "string" },
    yes: { type: "boolean", short: "y" },
  },
  positionals: { min: 1, max: 1 },
  async run(context, [stack = ""], flags) {
    const goal = parseGoal(text(flags, "to"), text(flags, "to-tag"));
    const yes = flags["yes"] === true;
    if (!yes && !process.stdin.isTTY) {
      throw usageError("berth rollback: asks before it changes anything, but there is no terminal; use --yes");
    }
    const ref = { root: context.root, stack, configFile: text(flags, "config-file") };
    return rollback(context, ref, goal, yes);
  },
};

export function parseGoal(to: string | undefined, toTag: string | undefined): Goal {
  if (to !== undefined && toTag !== undefined) {
    throw usageError("berth rollback: --to and --to-tag exclude each other; use one of them");
  }
  if (toTag !== undefined) return { tag: parseRequest(toTag) };
  if (to === undefined) return {};
  if (!/^[1-9]\d*$/.test(to)) {
    throw usageError(
      `berth rollback: --to: is not a release number, got ${JSON.stringify(to)}; write for example --to 3`,
    );
  }
  return { number: Number(to) };
}

export async function rollback(context: Context, ref: StackRef, goal: Goal, yes: boolean): Promise<number> {
  const file = readStackFile(ref);
  const images = imagePins(file);
  const [outputs, registry] = await Promise.all([stackOutputs(ref), context.openRegistry(ref, file)]);
  let plan: Plan;
  try {
    plan = planRollback(releasesFrom(outputs), { images, settings: file.values }, goal);
    for (const line of plan.explanation) context.note(line);
    await requireImages(plan, registry);
  } finally {
    registry.close();
  }

  const written = withChanges(file, plan.changes);
  writeStackFile(file.path, written);
  const message = `rollback to release ${plan.target.number}`;
  const { code, changed } = await up(ref, ["--message", message, ...(yes ? ["--yes", "--skip-preview"] : [])]);
  if (code === 0) {
    context.note(`the pins of release ${plan.target.number} are live; ${file.path} asks for them: commit it`);
    return exitCodes.done;
  }
  if (!changed) {
    putBack(context, file, written);
  } else {
    context.note(
      `the update had begun, so ${file.path} keeps the pins of release ${plan.target.number}: \`pulumi up\` goes on ` +
        `with it, \`npm run berth -- rollback ${ref.stack}\` goes back to release ${plan.live.number}`,
    );
  }
  if (code !== null) return code;
  context.note(
    "Pulumi was ended by a signal and may have left its lock; when no other update of the stack runs, " +
      `\`pulumi cancel --stack ${ref.stack}\` removes it`,
  );
  return exitCodes.failed;
}

async function requireImages(plan: Plan, registry: Registry): Promise<void> {
  const found = await Promise.all(plan.refs.map(async (image) => registry.digest(image)));
  const missing = plan.refs.filter((_, index) => found[index] === undefined);
  if (missing.length === 0) return;
  throw new OperatorError(
    [
      ...missing.map((image) => `rollback: the registry no longer has ${image}`),
      `release ${plan.target.number} cannot be made live again; nothing was changed. Push the image again, or use another --to`,
    ].join("\n"),
  );
}

function putBack(context: Context, file: StackFile, written: string): void {
  if (readFileSync(file.path, "utf8") !== written) {
    context.note(`nothing was changed, but ${file.path} was edited meanwhile and is left as it is; check its pins`);
    return;
  }
  writeStackFile(file.path, file.text);
  context.note(`nothing was changed; ${file.path} is as it was`);
}
