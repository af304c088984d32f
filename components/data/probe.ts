import { quote } from "../shared/shell.ts";
import { preparedFile } from "./start.render.ts";

/**
 * A health check that says the first words of a protocol and looks at the first bytes of the answer. The servers' own
 * clients start a whole runtime for each question (Erlang, Node), which costs more than an idle server itself. The
 * image must have bash, as the official images do.
 */
export function probe(args: Probe): readonly string[] {
  const { port, request, reply, skip = 0, host = "127.0.0.1", prepared = false } = args;
  const count = reply.split(" ").length;
  const look = `head -c ${skip + count} <&3 | tail -c ${count} | od -An -v -tx1`;
  const lines = [
    ...(prepared ? [`test -e ${preparedFile}`] : []),
    `exec 3<>/dev/tcp/${host}/${port}`,
    `printf '${request}' >&3`,
    `[ "$(${look})" = " ${reply}" ]`,
  ];
  return ["CMD-SHELL", `bash -c ${quote(lines.join(" && "))}`];
}

export interface Probe {
  readonly port: number;
  /** Bytes as `printf` writes them. */
  readonly request: string;
  /** Bytes of the answer as hexadecimal pairs, at most 16: `dd 07`. */
  readonly reply: string;
  /** Bytes of the answer before them. @default 0 */
  readonly skip?: number;
  /** @default "127.0.0.1" */
  readonly host?: string;
  /** Ask only when the server is as the system wants it. @default false */
  readonly prepared?: boolean;
}
