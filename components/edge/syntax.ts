import { milliseconds, type Duration } from "../shared/duration.ts";
import { bytes, type Size } from "../shared/size.ts";

/* Values as nginx writes them. */

export function time(duration: Duration): string {
  const ms = milliseconds(duration);
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

export function size(value: Size): string {
  const kilobytes = Math.ceil(bytes(value) / 1024);
  return kilobytes % 1024 === 0 ? `${kilobytes / 1024}m` : `${kilobytes}k`;
}

/** "10 r/s" as nginx writes it. */
export function rate(value: string): string {
  return value.replace(" ", "");
}

/**
 * A text as one literal word. nginx knows no escape for `$`, which would begin a variable; the main configuration
 * defines `$dollar` for it.
 */
export function literal(value: string): string {
  return quoted(value).replaceAll("$", "${dollar}");
}

function quoted(value: string): string {
  // Control characters would end a header line, or the directive.
  if (/\p{Cc}/u.test(value)) throw new Error(`not one line of text: ${JSON.stringify(value)}`);
  return `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** The name of a header: a token of HTTP, which needs no quoting. */
export function headerName(name: string): string {
  if (!/^[A-Za-z0-9!#%&*+.^_|~-]+$/.test(name)) throw new Error(`not a header name: ${JSON.stringify(name)}`);
  return name;
}

/** A path as a location, which holds no variables: quoted when there is anything in it that nginx would read as its own. */
export function path(prefix: string): string {
  return /^[A-Za-z0-9/._~%@+-]+$/.test(prefix) ? prefix : quoted(prefix);
}

/** Directives indented as a block's body; empty lines stay empty. */
export function indent(lines: readonly string[]): string[] {
  return lines.map((line) => (line === "" ? line : `    ${line}`));
}

/** `head { body }`. */
export function block(head: string, body: readonly string[]): string[] {
  return [`${head} {`, ...indent(body), "}"];
}
