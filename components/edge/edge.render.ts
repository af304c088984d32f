import { readFileSync } from "node:fs";
import type { Host } from "../config/host.ts";
import type { Acme } from "../config/stack.ts";
import { commandLine } from "../shared/shell.ts";
import { edgeRoot, type Files } from "./nginx.render.ts";

/** The program that an edge host runs for each of these commands, and for certbot: what they do stands at its top. */
export function hostProgram(): string {
  return readFileSync(new URL("host.sh", import.meta.url), "utf8");
}

/** Installs the program, which comes by standard input, and starts what owns the ports and nginx. */
export function runtimeCommand(
  host: Pick<Host, "user">,
  args: { readonly image: string; readonly network: string; readonly networkId: string },
): string {
  // Renamed into its place: certbot or systemd may be running the one before.
  const install = `mkdir -p ${edgeRoot}/bin; cd ${edgeRoot}/bin; cat >edge.$$; chmod 755 edge.$$; mv edge.$$ edge`;
  const run = commandLine([`${edgeRoot}/bin/edge`, "runtime", args.image, args.network, args.networkId]);
  return asRoot(host, ["sh", "-euc", `${install}; exec ${run}`]);
}

/** Serves a system's sites; the files come by standard input. */
export function siteCommand(host: Pick<Host, "user">, system: string, names: readonly string[]): string {
  return edge(host, "site", system, ...names);
}

/** Gets one certificate for all names; the CA of the directory comes by standard input. */
export function certificateCommand(
  host: Pick<Host, "user">,
  system: string,
  acme: Pick<Acme, "directory" | "email">,
  names: readonly string[],
): string {
  return edge(host, "certificate", system, acme.directory, acme.email, ...names);
}

export function removeCommand(host: Pick<Host, "user">, system: string): string {
  return edge(host, "remove", system);
}

export function leaveCommand(host: Pick<Host, "user">, network: string): string {
  return edge(host, "leave", network);
}

/** Several files as one text: each after a line with its path. */
export function renderFiles(files: Files): string {
  return Object.entries(files)
    .map(([path, text]) => `==> ${path} <==\n${text}`)
    .join("");
}

function edge(host: Pick<Host, "user">, ...args: string[]): string {
  return asRoot(host, [`${edgeRoot}/bin/edge`, ...args]);
}

function asRoot(host: Pick<Host, "user">, argv: readonly string[]): string {
  return commandLine(host.user === "root" ? argv : ["sudo", "-n", ...argv]);
}
