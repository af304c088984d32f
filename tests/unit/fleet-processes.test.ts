import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { PidsLimit } from "../../components/config/stack.ts";
import { renderProcesses } from "../../components/fleet/processes.render.ts";
import { checkScript } from "../support/shell.ts";

/* The script that limits the processes of containers, run for real beside stand-ins for systemd and Docker. */

const dropIn = "/etc/systemd/system/docker-.scope.d/10-berth.conf";

interface Machine {
  readonly pidsLimit: PidsLimit;
  /** Docker's cgroup driver; empty where Docker does not run. */
  readonly driver?: string;
  /** What systemd has for the scopes of containers. */
  readonly scopes?: Readonly<Record<string, string>>;
  /** The drop-in that is there. */
  readonly found?: string;
}

function run({ pidsLimit, driver = "systemd", scopes = {}, found }: Machine, verb = "") {
  const root = mkdtempSync(join(tmpdir(), "berth-processes-"));
  try {
    const put = (path: string, text: string): void => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text, { mode: 0o755 });
    };
    const shown = Object.entries(scopes).map(([id, tasks]) => `TasksMax=${tasks}\nId=${id}\n`);
    put("shown", shown.join("\n"));
    put("bin/systemctl", `#!/bin/sh\necho "$*" >>${root}/calls\n[ "$1" != show ] || cat ${root}/shown\n`);
    put("bin/docker", `#!/bin/sh\n${driver === "" ? "exit 1" : `echo ${driver}`}\n`);
    put("calls", "");
    if (found !== undefined) put(dropIn, found);
    const script = renderProcesses({ host: { name: "vm-1" }, pidsLimit });
    checkScript(script);
    const input = script
      .replaceAll(/(?<=[ =])\/etc\/systemd/g, `${root}/etc/systemd`)
      .replace(/^PATH=.*$/m, `PATH=${root}/bin:/usr/bin:/bin`);
    const { status, stdout, stderr } = spawnSync("sh", ["-s", verb], { input, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    const path = join(root, dropIn);
    return {
      said: stdout.replaceAll(root, "").trimEnd().split("\n"),
      calls: readFileSync(join(root, "calls"), "utf8"),
      file: existsSync(path) ? readFileSync(path, "utf8") : undefined,
    };
  } finally {
    rmSync(root, { recursive: true });
  }
}

describe("the script that limits the processes of containers", () => {
  const { file: whole = "" } = run({ pidsLimit: 4096 });

  it("has systemd limit what runs already, also when it was interrupted before it came to that", () => {
    assert.match(whole, /^\[Scope\]\nTasksMax=4096$/m);
    for (const found of [undefined, "[Scope]\nTasksMax=1\n", whole]) {
      const { file, calls } = run({ pidsLimit: 4096, ...(found !== undefined && { found }) });
      assert.equal(file, whole);
      assert.match(calls, /^daemon-reload$/m);
    }
  });

  it("takes its limit away where none is wanted, once", () => {
    const { file, calls, said } = run({ pidsLimit: "none", found: whole });
    assert.equal(file, undefined);
    assert.match(calls, /^daemon-reload$/m);
    assert.deepEqual(said, ["changed: no limit of processes"]);
    assert.deepEqual(run({ pidsLimit: "none" }).said, ["unchanged: no limit of processes"]);
  });

  it("changes nothing in a check, and names each container that may have more", () => {
    const scopes = {
      "docker-1.scope": "64",
      "docker-2.scope": "4096",
      "docker-3.scope": "4097",
      "docker-4.scope": "infinity",
    };
    const { said, calls, file } = run({ pidsLimit: 4096, found: "[Scope]\n", scopes }, "check");
    assert.deepEqual(said, [
      `differs: ${dropIn} lacks "# Managed by berth: processes and threads of each container that was not given a limit of its own."`,
      `differs: ${dropIn} lacks "TasksMax=4096"`,
      "differs: docker-3.scope may have 4097 processes, not 4096",
      "differs: docker-4.scope may have infinity processes, not 4096",
    ]);
    assert.doesNotMatch(calls, /daemon-reload/);
    assert.equal(file, "[Scope]\n");
    assert.deepEqual(run({ pidsLimit: 4096, found: whole }, "check").said, [""]);
    assert.deepEqual(run({ pidsLimit: "none", found: whole }, "check").said, [`differs: ${dropIn} is there`]);
  });

  it("says that no limit holds where Docker's control groups are not systemd's", () => {
    const machine = { pidsLimit: 4096, driver: "cgroupfs", found: whole } as const;
    assert.deepEqual(run(machine, "check").said, [
      "differs: no container has a limit of processes: Docker's cgroup driver is cgroupfs, not systemd",
    ]);
    assert.match(run(machine).said.join("\n"), /^warning: no container has .*\n.*run on this host:\n {2}sed -i /m);
    assert.deepEqual(run({ ...machine, driver: "" }, "check").said, [""], "Docker is another concern's");
  });
});
