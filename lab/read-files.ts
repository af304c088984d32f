import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Text files below a directory by their relative path, sorted; of a file itself, its text under no path. */
export function readFiles(directory: string): Record<string, string> {
  if (statSync(directory).isFile()) return { "": readFileSync(directory, "utf8") };
  const paths = readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(directory, path)).isFile())
    .sort();
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(directory, path), "utf8")]));
}
