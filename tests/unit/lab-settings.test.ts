import assert from "node:assert/strict";
import { configFileArgs, labNamed, parseCommandLine, UsageError } from "../../lab/settings.ts";

const parse = (argv: string[], env: NodeJS.ProcessEnv = {}) =>
  parseCommandLine(argv, { HOME: "/home/x", ...env }, "/repo");

describe("command line of the lab", () => {
  it("brings up the lab called local on 8080 and 8443 when nothing is said", () => {
    const [verb, lab] = parse([]);
    assert.equal(verb, "up");
    assert.deepEqual(
      [lab.name, lab.httpPort, lab.httpsPort, lab.directory, lab.stackFile],
      ["local", 8080, 8443, "/repo/.lab/local", "/repo/Pulumi.local.yaml"],
    );
  });

  it("takes ports from the environment, and from the command line before that", () => {
    const env = { LAB_HTTP_PORT: "9080", LAB_HTTPS_PORT: "9443" };
    const [, lab] = parse(["--https-port", "7443"], env);
    assert.deepEqual([lab.httpPort, lab.httpsPort], [9080, 7443]);
  });

  it("takes a number of hosts, and leaves it open when nobody gives one", () => {
    const count = (argv: string[], env = {}) => parse(argv, env)[1].hosts;
    assert.deepEqual(
      [count([]), count([], { LAB_HOSTS: "3" }), count(["--hosts", "5"], { LAB_HOSTS: "3" })],
      [undefined, 3, 5],
    );
  });

  it("keeps the stack file of another lab with its state and names it to Pulumi", () => {
    const [verb, lab] = parse(["down", "--name", "t-1"]);
    assert.equal(verb, "down");
    assert.equal(lab.stackFile, "/repo/.lab/t-1/Pulumi.t-1.yaml");
    assert.deepEqual(configFileArgs(lab), ["--config-file", ".lab/t-1/Pulumi.t-1.yaml"]);
    assert.deepEqual(configFileArgs(labNamed("local", "/repo", { http: 1, https: 2 })), []);
  });

  const refused: [string[], string][] = [
    [["start"], 'must be one of up, down, env, build, got "start"'],
    [["up", "down"], 'must be one of up, down, env, build, got "up down"'],
    [["--name", "Local"], '--name: must be lower-case letters, digits and hyphens, at most 21, got "Local"'],
    [["--hosts", "0"], '--hosts or LAB_HOSTS: must be a number from 1 to 9, got "0"'],
    [["--http-port", "0"], '--http-port or LAB_HTTP_PORT: must be a port between 1 and 65535, got "0"'],
    [["--https-port", "x"], '--https-port or LAB_HTTPS_PORT: must be a port between 1 and 65535, got "x"'],
    [["--http-port", "8443"], "--http-port, --https-port: must differ, got 8443 for both"],
  ];
  for (const [argv, message] of refused) {
    it(`rejects ${argv.join(" ")}`, () => {
      assert.throws(() => parse(argv), new UsageError(message));
    });
  }

  it("rejects an option it does not know", () => {
    assert.throws(() => parse(["--port", "80"]), UsageError);
  });
});
