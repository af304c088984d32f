import type { Duration } from "../shared/duration.ts";
import type { Size } from "../shared/size.ts";

/** What one kind of server needs beyond what all stores share. */
export interface StoreServer {
  /** Replaces the image's entrypoint. @default - the image's own */
  readonly entrypoint?: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Secrets mounted as they are, below /run/secrets. */
  readonly secrets: readonly string[];
  /** Files below /run/secrets that are made of secrets, or of nothing secret at all. */
  readonly files: readonly RenderedFile[];
  /** Where the volume is mounted. @default - the server keeps nothing */
  readonly dataDirectory?: string;
  readonly tmpfs: Readonly<Record<string, Size>>;
  /** As Docker takes it: `CMD` or `CMD-SHELL` and what follows. */
  readonly health: readonly string[];
  readonly stopSignal: string;
  readonly stopGracePeriod: Duration;
}

/** A file that is rendered from the values of secrets, so that only the swarm and the server ever hold it. */
export interface RenderedFile {
  readonly name: string;
  /** Secrets whose values `render` is given. */
  readonly from: readonly string[];
  readonly render: (values: Readonly<Record<string, string>>) => string;
}

/** Where the swarm mounts secrets and rendered files. */
export const secretPath = (name: string): string => `/run/secrets/${name}`;

/** Of a record whose entries each name a secret: those secrets, each once. */
export function passwordsOf(users: Readonly<Record<string, { readonly passwordSecret: string }>>): string[] {
  return [...new Set(Object.values(users).map(({ passwordSecret }) => passwordSecret))];
}

/** Value of a secret; configuration is refused before one can be missing. */
export function valueOf(values: Readonly<Record<string, string>>, secret: string): string {
  const value = values[secret];
  if (value === undefined) throw new Error(`no value for "${secret}"`);
  return value;
}
