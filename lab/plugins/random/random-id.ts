import { randomBytes } from "node:crypto";
import type { RandomIdArgs } from "@pulumi/random";
import { structuralDiff } from "../framework/diff.ts";
import { map, misfits, number, object, required, string } from "../framework/shape.ts";
import type { Required, Shape } from "../framework/shape.ts";
import { unknown } from "../framework/types.ts";
import type { Properties, ResourceType } from "../framework/types.ts";

const inputs = {
  byteLength: required(number),
  keepers: map(string),
  prefix: string,
} satisfies Record<keyof RandomIdArgs, Shape | Required>;

/** `random.RandomId`: random bytes in four spellings, no secret. */
export const randomId: ResourceType<undefined> = {
  computed: ["b64Std", "b64Url", "dec", "hex"],
  check(news) {
    const failures = misfits(object(inputs), news);
    const { byteLength } = news;
    if (failures.length === 0 && byteLength !== unknown && (byteLength as number) < 1) {
      failures.push({ property: "byteLength", reason: `must be at least 1, got ${String(byteLength)}` });
    }
    return { inputs: news, failures };
  },
  diff: ({ oldInputs, news }) => structuralDiff(oldInputs, news, { replaceOn: Object.keys(inputs) }),
  create(news) {
    const bytes = randomBytes(news["byteLength"] as number);
    return Promise.resolve({ id: bytes.toString("base64url"), outputs: spell(bytes, news) });
  },
  read(id, olds, oldInputs) {
    if (olds["hex"] !== undefined) return Promise.resolve({ id, inputs: oldInputs, outputs: olds });
    // An import: `<prefix>,<id>` or the id alone.
    const comma = id.lastIndexOf(",");
    const bytes = Buffer.from(id.slice(comma + 1), "base64url");
    const prefix = comma === -1 ? {} : { prefix: id.slice(0, comma) };
    const imported = { byteLength: bytes.length, ...prefix };
    return Promise.resolve({
      id: bytes.toString("base64url"),
      inputs: imported,
      outputs: spell(bytes, imported),
    });
  },
  delete: () => Promise.resolve(),
};

function spell(bytes: Buffer, news: Properties): Properties {
  const prefix = typeof news["prefix"] === "string" ? news["prefix"] : "";
  const hex = bytes.toString("hex");
  return {
    ...news,
    b64Std: prefix + bytes.toString("base64"),
    b64Url: prefix + bytes.toString("base64url"),
    dec: prefix + BigInt(`0x${hex}`).toString(),
    hex: prefix + hex,
  };
}
