import { StringDecoder } from "node:string_decoder";
import type { Context, Properties } from "../framework/types.ts";
import type { Output } from "./resource.ts";

/** Collects what a process writes, and shows it line by line as `logging` allows. */
export class Capture {
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly #both: Buffer[] = [];
  readonly #logging: unknown;
  readonly #context: Context<undefined>;
  readonly #decoder = new StringDecoder("utf8");
  #line = "";

  constructor(settings: Properties, context: Context<undefined>) {
    this.#logging = settings["logging"] ?? "stdoutAndStderr";
    this.#context = context;
  }

  add(stream: "stdout" | "stderr", chunk: Buffer): void {
    (stream === "stdout" ? this.#stdout : this.#stderr).push(chunk);
    this.#both.push(chunk);
    if (this.#logging !== stream && this.#logging !== "stdoutAndStderr") return;
    const lines = (this.#line + this.#decoder.write(chunk)).split("\n");
    this.#line = lines.pop() ?? "";
    for (const line of lines) this.#show(line);
  }

  /** The output of a command that succeeded; one newline at the end of each stream is cut. */
  finish(): Output {
    this.#flush();
    return { stdout: trimmed(this.#stdout), stderr: trimmed(this.#stderr) };
  }

  /** The error of one that did not: reason, command and everything it said, as the real provider words it. */
  failure(reason: string, command: string): Error {
    this.#flush();
    return new Error(`${reason}: running ${quoteGo(command)}:\n${Buffer.concat(this.#both).toString("utf8")}`);
  }

  #flush(): void {
    const rest = this.#line + this.#decoder.end();
    this.#line = "";
    if (rest !== "") this.#show(rest);
  }

  #show(line: string): void {
    this.#context.log?.("info", line.replace(/\r$/, ""), "status");
  }
}

function trimmed(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString("utf8").replace(/\n$/, "");
}

/** A double-quoted Go string, which is how the real provider prints commands. */
export function quoteGo(text: string): string {
  const named: Readonly<Record<string, string>> = {
    '"': '\\"',
    "\\": "\\\\",
    "\u0007": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
  };
  const escaped = text.replaceAll(/["\\\p{Cc}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return named[character] ?? (code < 0x80 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
  });
  return `"${escaped}"`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
