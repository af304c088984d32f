import { readFileSync } from "node:fs";
import type { Host } from "../config/host.ts";
import type { AcmeCertificate, Certificate, OriginCertificate } from "../config/certificate.ts";
import type { EdgeResources } from "../config/resources.ts";
import type { Acme } from "../config/stack.ts";
import { commandLine } from "../shared/shell.ts";
import { bytes } from "../shared/size.ts";
import { edgeRoot, type Files } from "./nginx.render.ts";

/** Where the program is on an edge host. */
export const edgeProgram = `${edgeRoot}/bin/edge`;

/** The program that an edge host runs for each of these commands, and for certbot: what they do stands at its top. */
export function hostProgram(): string {
  return part("host.sh").replaceAll(/^# include (\S+)\n/gm, (_line, name: string) => part(name));
}

const part = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8");

/** Installs the program, which comes by standard input, and starts what owns the ports and nginx. */
export function runtimeCommand(
  host: Pick<Host, "user">,
  args: {
    readonly image: string;
    readonly network: string;
    readonly networkId: string;
    readonly resources: EdgeResources;
    readonly http3: boolean;
  },
): string {
  // Renamed into its place: certbot or systemd may be running the one before.
  const install = `mkdir -p ${edgeRoot}/bin; cd ${edgeRoot}/bin; cat >edge.$$; chmod 755 edge.$$; mv edge.$$ edge`;
  const http3 = args.http3 ? ["http3"] : [];
  const limits = limitArguments(args.resources);
  const run = commandLine([edgeProgram, "runtime", args.image, args.network, args.networkId, ...limits, ...http3]);
  return asRoot(host, ["sh", "-euc", `${install}; exec ${run}`]);
}

/** What nginx may take, as the program is told: bytes of memory, cores, processes. */
export function limitArguments({ memory, cpus, pids }: EdgeResources): string[] {
  return [bytes(memory), cpus, pids].map(String);
}

/** Script for root's shell that looks whether nginx has its limits, and prints a line `differs: …` where it has not. */
export function renderEdgeCheck(resources: EdgeResources): string {
  return `if [ -x ${edgeProgram} ]; then
  ${commandLine([edgeProgram, "differs", ...limitArguments(resources)])}
else
  echo 'differs: the edge is not set up'
fi
`;
}

/** Serves a system's sites; the files come by standard input. */
export function siteCommand(
  host: Pick<Host, "user">,
  system: string,
  certificates: readonly Pick<Certificate, "name" | "names">[],
): string {
  return edge(host, "site", system, ...certificates.map(({ name, names }) => `${name}=${names.join(",")}`));
}

/** Gets a certificate; what `certificateFiles` gives comes by standard input. */
export function certificateCommand(
  host: Pick<Host, "user">,
  system: string,
  acme: Pick<Acme, "directory" | "email">,
  { name, names, key, challenge }: AcmeCertificate,
): string {
  return edge(host, "certificate", system, name, key, challenge, acme.directory, acme.email, ...names);
}

/** Prints a request for a certificate of Cloudflare's Origin CA; another one for another generation or period. */
export function requestCommand(
  host: Pick<Host, "user">,
  system: string,
  { name, names, key, generation }: OriginCertificate,
  period: number,
): string {
  return edge(host, "request", system, name, key, `${generation}.${period}`, ...names.toSorted());
}

/** Serves what was signed for a request; it comes by standard input. */
export function issuedCommand(host: Pick<Host, "user">, system: string, { name }: OriginCertificate): string {
  return edge(host, "issued", system, name);
}

/** What a host needs to get a certificate; the token is for a file of root's alone, never for a command line. */
export function certificateFiles(
  acme: Pick<Acme, "ca" | "cloudflareApi">,
  { challenge }: Pick<AcmeCertificate, "challenge">,
  token: string | undefined,
): Files {
  return {
    ...(acme.ca !== undefined && { "directory.pem": `${acme.ca.trim()}\n` }),
    ...(challenge === "dns-01" && {
      "cloudflare.ini": `dns_cloudflare_api_token = ${token ?? ""}\n`,
      "cloudflare-api": `${acme.cloudflareApi}\n`,
    }),
  };
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
  return asRoot(host, [edgeProgram, ...args]);
}

function asRoot(host: Pick<Host, "user">, argv: readonly string[]): string {
  return commandLine(host.user === "root" ? argv : ["sudo", "-n", ...argv]);
}
