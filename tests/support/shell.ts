import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";

/** Fails when a script is no POSIX shell or shellcheck has anything to say about it. */
export function checkScript(script: string): void {
  const syntax = spawnSync("sh", ["-n"], { input: script, encoding: "utf8" });
  assert.equal(syntax.stderr, "");
  const checked = spawnSync("shellcheck", ["--shell=sh", "--format=gcc", "-"], { input: script, encoding: "utf8" });
  assert.equal(checked.error, undefined, "shellcheck cannot be run; install Debian's or Homebrew's package shellcheck");
  assert.equal(checked.stdout + checked.stderr, "");
}
