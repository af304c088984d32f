import assert from "node:assert/strict";
import { parse, type RawConfig } from "../../components/config/load.ts";
import { ConfigError } from "../../components/shared/errors.ts";

/** Everything that is wrong with a configuration, one `path: message` each, in the order it is printed. */
export function problemsOf(raw: RawConfig): string[] {
  try {
    parse(raw);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems.map(({ path, message }) => `${path}: ${message}`);
  }
  return [];
}
