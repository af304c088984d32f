import assert from "node:assert/strict";
import { assessDeep, deepProblems } from "../../../operations/deep.ts";

const said = (stdout: string, complaint = "") => deepProblems(assessDeep("vm-1", { stdout, complaint }));

describe("status --deep of a host", () => {
  it("names each difference with its concern, and nothing where there is none", () => {
    assert.deepEqual(said("concern access\nend 0\nconcern sysctl\nunchanged: x\nend 0\nchecked\n"), []);
    assert.deepEqual(
      said("concern access\nend 0\nconcern sysctl\ndiffers: kernel.panic is 0, not 10\nend 0\nchecked\n"),
      ["host vm-1: sysctl: kernel.panic is 0, not 10"],
    );
  });

  it("says when a concern could not be checked", () => {
    assert.deepEqual(said("concern engine\nhost vm-1: engine: no such system\nend 1\nchecked\n"), [
      'host vm-1: engine: cannot be checked to its end, got "host vm-1: engine: no such system"',
    ]);
  });

  it("takes a host that does not answer, or an answer that breaks off, for unknown and not for right", () => {
    assert.deepEqual(said("", "ssh: connect to host 198.18.0.1 port 22: Connection refused"), [
      'host vm-1: its settings cannot be read, got "ssh: connect to host 198.18.0.1 port 22: Connection refused"',
    ]);
    assert.deepEqual(said("concern access\nend 0\n"), [
      'host vm-1: its settings cannot be read, got "an answer that breaks off"',
    ]);
  });
});
