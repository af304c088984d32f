import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { refuse } from "./errors.ts";

const groups = [
  ...(["DNS", "Zone", "Zone Settings", "Zone WAF", "Cache Settings", "Zone Transform Rules"] as const),
  ...(["Dynamic URL Redirects", "Load Balancers", "Load Balancing: Monitors and Pools"] as const),
  ...(["SSL and Certificates", "Firewall Services", "Bot Management"] as const),
  ...(["Access: Apps and Policies", "Access: Service Tokens"] as const),
] as const;
export type Group = (typeof groups)[number];
export type Permission = `${Group} ${"Read" | "Write"}` | "Cache Purge";

/** The permissions that the calls of the lab ask for, by their names in Cloudflare's API documents. */
export const permissions: readonly Permission[] = [
  ...groups.flatMap((group) => [`${group} Read`, `${group} Write`] as const),
  "Cache Purge",
];

export interface Token {
  /** Not the secret: what `user/tokens/verify` answers. */
  readonly id: string;
  readonly permissions: readonly Permission[];
}

/**
 * Reads the token file: one token a line, `<token>` for every permission or `<token> DNS Write, Zone Read`.
 * Read for each request, so that a token can be taken away while the lab runs.
 */
export function findToken(path: string, secret: string): Token | undefined {
  for (const line of readFileSync(path, "utf8").split("\n")) {
    const [token, ...rest] = line.trim().split(/\s+/);
    if (token !== secret) continue;
    const given = rest
      .join(" ")
      .split(/\s*,\s*/)
      .filter(Boolean);
    const unknown = given.find((each) => !permissions.some((known) => known === each));
    if (unknown) throw new Error(`${path}: unknown permission "${unknown}"; use ${permissions.join(", ")}`);
    const id = createHash("sha256").update(secret).digest("hex").slice(0, 32);
    return { id, permissions: given.length > 0 ? (given as Permission[]) : permissions };
  }
  return undefined;
}

/** The secret out of an Authorization header, refused as the real API does. */
export function bearer(header: string | undefined): string {
  if (header === undefined) throw refuse.missingToken();
  const secret = /^Bearer ([0-9A-Za-z_-]+)$/.exec(header)?.[1];
  if (secret === undefined) throw refuse.malformedToken();
  return secret;
}

/** Refuses a call unless one of the permissions is there. */
export function demand(token: Token, ...oneOf: readonly Permission[]): void {
  if (oneOf.some((each) => token.permissions.includes(each))) return;
  throw refuse.forbidden(oneOf);
}

/** What reading asks for: whoever may write may read. */
export function reading(group: Group): readonly Permission[] {
  return [`${group} Read`, `${group} Write`];
}
