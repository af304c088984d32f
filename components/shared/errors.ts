import * as pulumi from "@pulumi/pulumi";

/** One thing that is wrong, and where. The message reads `<what is wrong>, got <value>; <what to do>`. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

const byPath = new Intl.Collator("en", { numeric: true });

const inOrder = (problems: readonly Problem[]): Problem[] =>
  problems.toSorted((a, b) => byPath.compare(a.path, b.path) || byPath.compare(a.message, b.message));

const count = ({ length }: readonly Problem[]): string => (length === 1 ? "1 problem" : `${length} problems`);

const listing = (title: string, problems: readonly Problem[]): string =>
  [title, ...problems.map(({ path, message }) => `  - ${path}: ${message}`)].join("\n");

/**
 * Refuses a configuration, with everything that is wrong in it at once.
 * A `RunError`, so Pulumi prints the list without a stack trace.
 */
export class ConfigError extends pulumi.RunError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], where = "the configuration") {
    const sorted = inOrder(problems);
    super(listing(`${where} has ${count(sorted)}; nothing was contacted:`, sorted));
    this.name = "ConfigError";
    this.problems = sorted;
  }
}

/** Refuses to change machines, with everything that is wrong with any of them at once. */
export class HostsError extends pulumi.RunError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], stack: string) {
    const sorted = inOrder(problems);
    super(listing(`the hosts of stack "${stack}" have ${count(sorted)}; nothing was changed:`, sorted));
    this.name = "HostsError";
    this.problems = sorted;
  }
}
