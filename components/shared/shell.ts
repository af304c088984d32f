/** A text as exactly one word of a POSIX shell, whatever is in it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** An argument list as one line of a POSIX shell. */
export function commandLine(argv: readonly string[]): string {
  return argv.map(quote).join(" ");
}
