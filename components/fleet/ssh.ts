import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { managersOf, type Host } from "../config/host.ts";
import { commandLine } from "../shared/shell.ts";
import { managerIn, renderKnownHosts, renderSshConfig, sshConfigPath, sshDirectory } from "./ssh.render.ts";

/** The part of the configuration that SSH needs; a `Config` is one. */
export interface SshArgs {
  readonly stack: string;
  readonly hosts: readonly Host[];
  /** Private key text. @default - the SSH agent and the user's own keys */
  readonly sshKey?: string;
  /** Connections outlive their `ssh` for those that follow. @default true */
  readonly shared?: boolean;
}

/**
 * Writes the SSH configuration, the pinned host keys and the private key of a stack below `root`, readable by the
 * user alone. Files that are right already are left alone; the others appear whole or not at all.
 *
 * @param manager Name of the manager to talk to; by default the one that answered last
 */
export function writeSshFiles(
  config: SshArgs,
  root: string = process.cwd(),
  manager: string = keptManager(config, root),
): void {
  const directory = join(root, sshDirectory(config.stack));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // `mode` above counts only for directories that are new.
  for (const path of [join(root, ".berth"), directory]) chmodSync(path, 0o700);
  const key = config.sshKey;
  writeFile(join(root, sshConfigPath(config.stack)), renderSshConfig({ ...config, manager, key: key !== undefined }));
  writeFile(join(directory, "known_hosts"), renderKnownHosts(config.hosts));
  if (key === undefined) rmSync(join(directory, "key"), { force: true });
  else writeFile(join(directory, "key"), privateKeyText(key));
}

/** The manager that answered last, for as long as it is one; else the first. */
export function keptManager({ stack, hosts }: SshArgs, root: string): string {
  const path = join(root, sshConfigPath(stack));
  const kept = existsSync(path) ? managerIn(readFileSync(path, "utf8")) : undefined;
  const names = managersOf(hosts).map(({ name }) => name);
  return names.find((name) => name === kept) ?? names[0] ?? "";
}

/**
 * Argument list that runs `argv` on a host, to be started in the project root.
 *
 * @example sshCommand("production", "web-1", ["docker", "service", "ls"])
 */
export function sshCommand(stack: string, hostName: string, argv: readonly string[]): string[] {
  // ssh joins its arguments with blanks and hands them to the remote shell: the quoting is ours to do.
  return ["ssh", "-F", sshConfigPath(stack), hostName, commandLine(argv)];
}

/** ssh refuses a key whose last line has no end, which is how keys come out of many forms and prompts. */
export function privateKeyText(key: string): string {
  return `${key.replaceAll("\r\n", "\n").trimEnd()}\n`;
}

function writeFile(path: string, content: string): void {
  if (existsSync(path) && readFileSync(path, "utf8") === content && (statSync(path).mode & 0o777) === 0o600) return;
  const next = `${path}.${randomBytes(4).toString("hex")}`;
  writeFileSync(next, content, { mode: 0o600 });
  renameSync(next, path);
}
