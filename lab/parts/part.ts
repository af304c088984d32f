/** How one part of the lab is started; pure data, so that it can be read, compared and tested without a container. */
export interface Part {
  /** Text files by the absolute path at which the part expects them. */
  readonly files: Readonly<Record<string, string>>;
  /** Absolute paths that whoever starts the part mounts (key material is never rendered). */
  readonly mounts: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What it listens on inside its container, by purpose. */
  readonly ports: Readonly<Record<string, number>>;
}
