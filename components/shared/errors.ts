import * as pulumi from "@pulumi/pulumi";

/** One thing that is wrong, and where. The message reads `<what is wrong>, got <value>; <what to do>`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

const byPath = new Intl.Collator("en", { numeric: true });

/**
 * Refuses a configuration, with everything that is wrong in it at once.
 * A `RunError`, so Pulumi prints the list without a stack trace.
 */
export class ConfigError extends pulumi.RunError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], where = "the configuration") {
    const sorted = problems.toSorted((a, b) => byPath.compare(a.path, b.path) || byPath.compare(a.message, b.message));
    const count = sorted.length === 1 ? "1 problem" : `${sorted.length} problems`;
    super(
      [`${where} has ${count}; nothing was contacted:`, ...sorted.map((p) => `  - ${p.path}: ${p.message}`)].join("\n"),
    );
    this.name = "ConfigError";
    this.problems = sorted;
  }
}
