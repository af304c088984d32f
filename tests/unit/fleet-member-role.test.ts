import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Host } from "../../components/config/host.ts";
import { first, hosts, member, run, state } from "../support/member-script.ts";

describe("a manager that becomes a worker", () => {
  /**
   * The part that runs on a manager, with a Docker of three managers that writes down what is changed.
   * `decides` is run where it is asked whether a node is a manager still; `asked` counts from 0.
   */
  function settle(listed: readonly Host[], decides = ":", isManager = true) {
    const worker = member({ ...hosts[2]!, role: "worker" });
    const joined = run(worker, "join", { [`vm-3: ${state}`]: "echo 'active 10.0.0.3 node3'" }, listed);
    const [, script] =
      /manager\.swarm< (# Managed by berth: swarm of vm-3\.[^]*?\nmain <\/dev\/null\n)/.exec(joined.input) ?? [];
    const [, args] = /manager\.swarm: sh -s (.*)/.exec(joined.calls) ?? [];
    const docker = `docker() {
case "$*" in
"node ls --quiet --filter role=manager") printf 'node%s\\n' 1 2 3 ;;
"node inspect --format {{index "*) echo "vm-\${5#node}" ;;
"node inspect --format {{.Spec.Role}} {{.Spec.Availability}} "*) echo manager active ;;
"node inspect --format {{.Status.State}} {{.Spec.Role}} "*) echo ready worker none ;;
"node inspect --format {{range "*) echo "berth.host=vm-3" ;;
"node inspect --format {{with .ManagerStatus}}"*) asked=$(wc -l <asked); echo >>asked; ${decides} ;;
"info --format {{.Swarm.ControlAvailable}}") echo ${isManager} ;;
"node update "*) echo "$*" >&2 ;;
esac
}
>asked
`;
    const cwd = mkdtempSync(join(tmpdir(), "berth-settle-"));
    try {
      const ran = spawnSync("sh", ["-s", ...args!.split(" ")], { cwd, input: docker + script!, encoding: "utf8" });
      return { ...ran, asked: readFileSync(join(cwd, "asked"), "utf8").length };
    } finally {
      rmSync(cwd, { recursive: true });
    }
  }

  it("does so after managers that are leaving, of whom one may be lost and must not count any more", () => {
    const ran = settle([first, hosts[2]!]);
    assert.equal(ran.status, 0, ran.stderr);
    assert.equal(ran.stderr, "node update --role worker node2\nnode update --role worker node3\n");
    assert.match(ran.stdout, /changed: vm-2 is no manager any more, it is leaving\nchanged: --role worker/);
  });

  it("is done when the managers decide without it, who may have to choose a leader first", () => {
    const ran = settle(hosts, "case $asked in 0) echo 10.0.0.3:2377 ;; 1) echo no leader >&2; return 1 ;; esac");
    assert.equal(ran.status, 0, ran.stderr);
    assert.equal(ran.asked, 3);
  });

  it("is done when the one that is asked was it itself", () => {
    const ran = settle(hosts, "echo no manager >&2; return 1", false);
    assert.equal(ran.status, 0, ran.stderr);
  });

  it("leaves the other managers alone while the stack file has them", () => {
    assert.equal(settle(hosts).stderr, "node update --role worker node3\n");
  });
});
