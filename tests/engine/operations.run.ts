import { readFileSync } from "node:fs";
import { main } from "../../operations/main.ts";

/* The verbs as `npm run berth` runs them, with a registry that is a file: the tests have no host to ask. */

process.exitCode = await main(process.argv.slice(2), {
  root: process.cwd(),
  print: (text) => process.stdout.write(`${text}\n`),
  note: (text) => process.stderr.write(`${text}\n`),
  openRegistry: async () => {
    const digests = JSON.parse(readFileSync("registry.json", "utf8")) as Record<string, string>;
    return Promise.resolve({ digest: async (ref) => Promise.resolve(digests[ref]), close: () => undefined });
  },
});
