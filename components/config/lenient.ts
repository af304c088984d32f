import { z } from "zod";

/** A document of which any part may be missing, but for the kind of what comes in kinds. */
export type Parts<T> = T extends string | number | boolean | undefined
  ? T
  : T extends readonly (infer U)[]
    ? Parts<U>[]
    : string extends keyof T
      ? Record<string, Parts<T[keyof T]>>
      : { [K in Exclude<keyof T, "kind">]?: Parts<T[K]> } & { [K in Extract<keyof T, "kind">]: T[K] };

/**
 * The schema that asks for nothing but still refuses what is wrong: with it, what is left of a document after its
 * refused parts were taken out can be read, and judged across its fields, in the same run. Defaults apply.
 */
export function lenient(schema: z.core.$ZodType): z.ZodType {
  const def = schema._zod.def as z.core.$ZodTypeDef & Record<string, unknown>;
  switch (def.type) {
    case "object":
      return z.object(fields(def.shape as Shape));
    case "array":
      return z.array(lenient(def.element as z.core.$ZodType));
    case "record":
      return z.record(def.keyType as z.ZodString, lenient(def.valueType as z.core.$ZodType));
    case "default":
      return lenient(def.innerType as z.core.$ZodType).default(def.defaultValue);
    case "prefault":
      return lenient(def.innerType as z.core.$ZodType).prefault(def.defaultValue);
    case "optional":
      return lenient(def.innerType as z.core.$ZodType).optional();
    case "union":
      return union(def.options as z.core.$ZodType[], def.discriminator as string | undefined);
    default:
      return schema as z.ZodType;
  }
}

type Shape = Readonly<Record<string, z.core.$ZodType>>;

function fields(shape: Shape): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(shape).map(([key, field]) => [key, lenient(field).optional()]));
}

/** The kind alone stays required: without it nothing says which fields there may be. */
function union(options: readonly z.core.$ZodType[], discriminator: string | undefined): z.ZodType {
  if (discriminator === undefined) return z.union(options.map(lenient));
  const variants = options.map((option) => {
    const shape = (option as z.ZodObject).shape as Shape;
    return z.object({ ...fields(shape), [discriminator]: shape[discriminator] as z.ZodLiteral });
  });
  return z.discriminatedUnion(discriminator, variants as [z.ZodObject, ...z.ZodObject[]]);
}
