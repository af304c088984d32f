import { randomInt } from "node:crypto";
import type { RandomPasswordArgs } from "@pulumi/random";
import { structuralDiff } from "../framework/diff.ts";
import { boolean, map, misfits, number, object, required, string } from "../framework/shape.ts";
import type { Required, Shape } from "../framework/shape.ts";
import type { CheckFailure, Properties, ResourceType } from "../framework/types.ts";

const inputs = {
  length: required(number),
  keepers: map(string),
  lower: boolean,
  minLower: number,
  minNumeric: number,
  minSpecial: number,
  minUpper: number,
  number: boolean,
  numeric: boolean,
  overrideSpecial: string,
  special: boolean,
  upper: boolean,
} satisfies Record<keyof RandomPasswordArgs, Shape | Required>;

/** What a password is drawn from, with the provider's defaults filled in. */
interface Recipe {
  readonly length: number;
  readonly lower: boolean;
  readonly minLower: number;
  readonly minNumeric: number;
  readonly minSpecial: number;
  readonly minUpper: number;
  readonly numeric: boolean;
  readonly overrideSpecial?: string;
  readonly special: boolean;
  readonly upper: boolean;
}

const letters = "abcdefghijklmnopqrstuvwxyz";
const digits = "0123456789";
const defaultSpecial = "!@#$%&*()-_=+[]{}<>:?";

/** `random.RandomPassword`: drawn once; any change of its arguments draws another one. */
export const randomPassword: ResourceType<undefined> = {
  secretOutputs: ["result", "bcryptHash"],
  computed: [
    "result",
    "bcryptHash",
    "lower",
    "minLower",
    "minNumeric",
    "minSpecial",
    "minUpper",
    "number",
    "numeric",
    "special",
    "upper",
  ],
  check(news) {
    const failures = misfits(object(inputs), news);
    return { inputs: news, failures: failures.length > 0 ? failures : impossible(recipe(news)) };
  },
  diff: ({ oldInputs, news }) => structuralDiff(oldInputs, news, { replaceOn: Object.keys(inputs) }),
  async create(news) {
    return { id: "none", outputs: await describe(draw(recipe(news)), news) };
  },
  async read(id, olds, oldInputs) {
    if (olds["result"] !== undefined) return { id, inputs: oldInputs, outputs: olds };
    // An import: the id that was given is the password itself.
    const imported = { length: id.length };
    return { id: "none", inputs: imported, outputs: await describe(id, imported) };
  },
  delete: () => Promise.resolve(),
};

async function describe(result: string, news: Properties): Promise<Properties> {
  const { numeric, ...rest } = recipe(news);
  // Loaded where a password is made: previews never need it. It reads 72 bytes and no more.
  const { default: bcrypt } = await import("bcryptjs");
  const bcryptHash = await bcrypt.hash(result, 10);
  return { ...news, ...rest, numeric, number: numeric, result, bcryptHash };
}

function recipe(news: Properties): Recipe {
  return {
    lower: true,
    minLower: 0,
    minNumeric: 0,
    minSpecial: 0,
    minUpper: 0,
    special: true,
    upper: true,
    ...news,
    // `number` is the older name of `numeric`.
    numeric: (news["numeric"] ?? news["number"] ?? true) as boolean,
    length: news["length"] as number,
  };
}

function impossible(wanted: Recipe): CheckFailure[] {
  if (typeof wanted.length !== "number") return []; // Not known yet.
  const least = wanted.minUpper + wanted.minLower + wanted.minNumeric + wanted.minSpecial;
  const none = [wanted.special, wanted.upper, wanted.lower, wanted.numeric].every((set) => !set);
  if (none) return [{ property: "special", reason: "one of special, upper, lower and numeric must be true" }];
  if (wanted.length < 1) return [{ property: "length", reason: `must be at least 1, got ${wanted.length}` }];
  if (wanted.length >= least) return [];
  const reason = `must be at least minUpper + minLower + minNumeric + minSpecial (${least}), got ${wanted.length}`;
  return [{ property: "length", reason }];
}

function draw(wanted: Recipe): string {
  // An empty list of special characters means the usual one.
  const special = wanted.overrideSpecial?.length ? wanted.overrideSpecial : defaultSpecial;
  const all =
    (wanted.upper ? letters.toUpperCase() : "") +
    (wanted.lower ? letters : "") +
    (wanted.numeric ? digits : "") +
    (wanted.special ? special : "");
  const characters = [
    ...pick(special, wanted.minSpecial),
    ...pick(letters, wanted.minLower),
    ...pick(letters.toUpperCase(), wanted.minUpper),
    ...pick(digits, wanted.minNumeric),
  ];
  characters.push(...pick(all, wanted.length - characters.length));
  return shuffle(characters).join("");
}

function pick(from: string, count: number): string[] {
  return Array.from({ length: count }, () => from.charAt(randomInt(from.length)));
}

function shuffle(characters: readonly string[]): string[] {
  const left = [...characters];
  return characters.flatMap(() => left.splice(randomInt(left.length), 1));
}
