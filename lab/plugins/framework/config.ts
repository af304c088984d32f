import type { Properties } from "./types.ts";

/**
 * Provider arguments that are lists or objects: the SDK sends each as one JSON string (`sshOpts`, `registryAuth`).
 * Returns the arguments with those parsed; one that is already structured is left as it is.
 */
export function parseNested(values: Properties, names: readonly string[]): Properties {
  const parsed: Properties = { ...values };
  for (const name of names) {
    const text = parsed[name];
    if (typeof text !== "string") continue;
    try {
      parsed[name] = JSON.parse(text) as unknown;
    } catch {
      // The text itself may hold a password, so it is not repeated.
      throw new Error(`${name}: expected a list or an object in JSON, got text that is not JSON`);
    }
  }
  return parsed;
}
