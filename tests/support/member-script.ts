import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../components/config/host.ts";
import { renderMember } from "../../components/fleet/member.render.ts";
import { renderSshConfig } from "../../components/fleet/ssh.render.ts";

/* The scripts that make a host a node of the swarm, run with an `ssh` that answers as a test tells it to. */

const machine = (name: string, number: number): Host => ({
  name,
  address: `203.0.113.${number}`,
  port: 22,
  user: "root",
  hostKey: "ssh-ed25519 AAAA",
  role: "manager",
  state: "active",
  labels: {},
  privateAddress: `10.0.0.${number}`,
});
export const hosts = [machine("vm-1", 1), machine("vm-2", 2), machine("vm-3", 3)];
export const [first, second] = hosts as [Host, Host];

/** What `ssh HOST COMMAND` answers, by a pattern over both; anything else is silence and success. */
type Answers = Readonly<Record<string, string>>;
export const lost = "exit 255";
export const notManager = "exit 1";
export const knows = "docker node inspect --format*self";
export const state = "docker info --format*LocalNodeState";

/** Runs a script with an `ssh` that answers as told and writes down what it was asked and given. */
export function run(script: string, verb: string, answers: Answers, listed: readonly Host[] = hosts) {
  const directory = mkdtempSync(join(tmpdir(), "berth-member-"));
  try {
    const at = (name: string) => join(directory, name);
    mkdirSync(at(".berth/test"), { recursive: true });
    const config = renderSshConfig({ stack: "test", hosts: listed, manager: listed[0]!.name, key: false });
    writeFileSync(at(".berth/test/ssh_config"), config);
    const quoted = (pattern: string) =>
      pattern
        .split("*")
        .map((part) => `"${part}"`)
        .join("*");
    const cases = Object.entries(answers).map(([pattern, answer]) => `${quoted(pattern)}*) ${answer} ;;`);
    const ssh = `#!/bin/sh
for word; do host=\${command-}; command=$word; done
echo "$host: $command" | head -n 1 >>${at("calls")}
echo "$*" | head -n 1 >>${at("arguments")}
echo "$host< $(cat)" >>${at("input")}
case "$host: $command" in
${cases.join("\n")}
esac
`;
    writeFileSync(at("ssh"), ssh, { mode: 0o755 });
    for (const name of ["calls", "arguments", "input"]) writeFileSync(at(name), "");
    const { status, stdout, stderr } = spawnSync("sh", ["-s", verb], {
      input: script,
      encoding: "utf8",
      cwd: directory,
      env: { PATH: `${directory}:/usr/bin:/bin`, TMPDIR: directory },
    });
    const read = (name: string) => readFileSync(at(name), "utf8");
    return {
      code: status,
      out: stdout,
      err: stderr,
      calls: read("calls"),
      args: read("arguments"),
      input: read("input"),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export const member = (host: Host) => renderMember({ stack: "test", host, first: host === first });
