import { readFileSync } from "node:fs";
import { stackHistory, stackOutputs, up, type StackRef } from "../pulumi.ts";
import { registryThroughManager, type OpenRegistry } from "../registry.ts";
import { releasesFrom } from "../release-list.ts";
import { planRollback, type Goal, type Plan } from "../rollback.plan.ts";
import { imagePins, isRecord, readStackFile, withChanges, writeStackFile, type StackFile } from "../stack-file.ts";
import {
  exitCodes,
  OperatorError,
  stackOptions,
  stackOptionsHelp,
  text,
  usageError,
  type Terminal,
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
    "  --yes               do not ask",
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
  async run(terminal, [stack = ""], flags) {
    const goal = parseGoal(text(flags, "to"), text(flags, "to-tag"));
    const yes = flags["yes"] === true;
    if (!yes && !process.stdin.isTTY) {
      throw usageError("berth rollback: asks before it changes anything, but there is no terminal; use --yes");
    }
    const ref = { root: terminal.root, stack, configFile: text(flags, "config-file") };
    return rollback(terminal, ref, goal, yes, registryThroughManager);
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

export async function rollback(
  terminal: Terminal,
  ref: StackRef,
  goal: Goal,
  yes: boolean,
  openRegistry: OpenRegistry,
): Promise<number> {
  const file = readStackFile(ref);
  const images = imagePins(file);
  const releases = releasesFrom(await stackOutputs(ref));
  const plan = planRollback(releases, { images, settings: file.values }, goal);
  for (const line of plan.explanation) terminal.note(line);
  await requireImages(plan, ref, file, openRegistry);

  const written = withChanges(file, plan.changes);
  const started = Date.now();
  writeStackFile(file.path, written);
  const message = `rollback to release ${plan.target.number}`;
  const { code, signal } = await up(ref, ["--message", message, ...(yes ? ["--yes"] : [])]);
  if (code === 0) {
    terminal.note(`the pins of release ${plan.target.number} are live; ${file.path} asks for them: commit it`);
    return exitCodes.done;
  }
  if (signal === null && !(await updateBegan(ref, started))) {
    putBack(terminal, file, written);
  } else {
    terminal.note(
      `the update had begun, so ${file.path} keeps the pins of release ${plan.target.number}: \`pulumi up\` goes on ` +
        `with it, \`npm run berth -- rollback ${ref.stack}\` goes back to release ${plan.live.number}`,
    );
  }
  return code ?? exitCodes.failed;
}

async function requireImages(plan: Plan, ref: StackRef, file: StackFile, openRegistry: OpenRegistry): Promise<void> {
  const registry = await openRegistry(ref, file);
  try {
    const found = await Promise.all(plan.refs.map(async (image) => registry.digest(image)));
    const missing = plan.refs.filter((_, index) => found[index] === undefined);
    if (missing.length === 0) return;
    throw new OperatorError(
      [
        ...missing.map((image) => `rollback: the registry no longer has ${image}`),
        `release ${plan.target.number} cannot be made live again; nothing was changed. Push the image again, or use another --to`,
      ].join("\n"),
    );
  } finally {
    registry.close();
  }
}

/**
 * Whether Pulumi got as far as changing things. Its history has an entry for every update that began, failed ones
 * too, and none for a preview, a refusal at the prompt or a lock that somebody else holds.
 */
async function updateBegan(ref: StackRef, startedMs: number): Promise<boolean> {
  const [latest] = await stackHistory(ref, 1);
  const at = isRecord(latest) && latest["kind"] === "update" ? Date.parse(String(latest["startTime"])) : NaN;
  // The history counts in whole seconds.
  return at >= Math.floor(startedMs / 1000) * 1000;
}

function putBack(terminal: Terminal, file: StackFile, written: string): void {
  if (readFileSync(file.path, "utf8") !== written) {
    terminal.note(`nothing was changed, but ${file.path} was edited meanwhile and is left as it is; check its pins`);
    return;
  }
  writeStackFile(file.path, file.text);
  terminal.note(`nothing was changed; ${file.path} is as it was`);
}
