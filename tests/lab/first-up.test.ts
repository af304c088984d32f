import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { get } from "../../lab/http.ts";
import { until } from "../support/until.ts";
import { sharedLab, type TestLab } from "./support/lab.ts";

interface Export {
  readonly deployment: { readonly resources: readonly { readonly type: string; readonly outputs?: object }[] };
}

describe("palmistry after its first up", function () {
  this.timeout(900_000);
  let lab: TestLab;

  before(async () => {
    lab = await sharedLab();
  });

  it("answers at its routes, with a certificate from the authority", async () => {
    assert.deepEqual(await answer("/api/version"), [200, "1.0.0"]);
    assert.deepEqual((await answer("/api/health"))[0], 200);
    assert.match((await answer("/")).join(" "), /^200 .*palmistry/s);
  });

  it("sends security headers, on errors too", async () => {
    const { status, headers } = await lab.get("/api/nothing-there");
    assert.equal(status, 404);
    assert.equal(headers["strict-transport-security"], "max-age=31536000; includeSubDomains");
    assert.equal(headers["x-frame-options"], "DENY");
  });

  it("sends plain HTTP to HTTPS, host and path kept", async () => {
    const url = `http://127.0.0.1:${lab.lab.httpPort}/api/version?a=b`;
    const { status, headers } = await get(url, { headers: { Host: lab.lab.domain } });
    assert.equal(status, 301);
    assert.equal(headers.location, `https://${lab.lab.domain}/api/version?a=b`);
  });

  it("gives every secret to the application as a file", async () => {
    const { status, body } = await lab.get("/api/env-check");
    assert.equal(status, 200);
    for (const name of ["SECRET_KEY", "JWT_SECRET", "DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY"])
      assert.match(body, new RegExp(name));
  });

  it("is unchanged for the next preview, for a refresh and for the next up", async () => {
    const preview = await lab.pulumi("preview", "--expect-no-changes");
    assert.equal(preview.code, 0, preview.stdout + preview.stderr);
    const refresh = await lab.pulumi("refresh", "--preview-only", "--expect-no-changes");
    assert.equal(refresh.code, 0, refresh.stdout + refresh.stderr);
    const up = await lab.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
    assert.equal(up.code, 0, up.stdout + up.stderr);
  });

  it("is as pinned for status", async () => {
    const { code, stdout, stderr } = await lab.berth("status");
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /everything is as pinned/);
    const exceptions = stdout.split("\n").filter((line) => line.includes(" keeps "));
    assert.deepEqual(
      exceptions.map((line) => line.split(" ")[0]),
      ["edge"],
      "the edge alone is less confined",
    );
  });

  it("lets no container gain rights", async () => {
    const pids = "docker ps --quiet | xargs docker inspect --format '{{.State.Pid}}'";
    const flags = `for pid in $(${pids}); do grep '^NoNewPrivs' "/proc/$pid/status"; done | sort -u`;
    const { stdout } = await lab.run("docker", "exec", `berth-${lab.lab.name}-host1`, "sh", "-c", flags);
    assert.match(stdout, /^NoNewPrivs:\s+1\n$/);
  });

  it("lets no container have processes without end", async () => {
    const limits = `for pid in $(docker ps --quiet | xargs docker inspect --format '{{.State.Pid}}'); do
  group=$(sed -n 's/^[0-9]*:pids://p; s/^0:://p' "/proc/$pid/cgroup" | head -n 1)
  cat "/sys/fs/cgroup/pids$group/pids.max" 2>/dev/null || cat "/sys/fs/cgroup$group/pids.max"
done | sort -n -u`;
    const { stdout } = await lab.run("docker", "exec", `berth-${lab.lab.name}-host1`, "sh", "-c", limits);
    assert.deepEqual(stdout.trim().split("\n"), ["64", "512", "4096"], "what holds the ports, nginx, all others");
  });

  it("has containers that have settled keep their answer back, and no check fail for it", async () => {
    const format = "{{range .State.Health.Log}}{{.ExitCode}} {{.Start.UnixMilli}} {{.End.UnixMilli}}\n{{end}}";
    const containers = "$(docker ps --quiet --filter label=com.docker.swarm.service.name)";
    const inspect = `docker inspect --format '${format}' ${containers}`;
    const look = async (): Promise<true | undefined> => {
      const { stdout } = await lab.run("docker", "exec", `berth-${lab.lab.name}-host1`, "sh", "-c", inspect);
      const checks = stdout.split("\n").flatMap((line) => {
        const [code, start, end] = line.trim().split(" ").map(Number);
        return start === undefined || end === undefined ? [] : [{ code, seconds: (end - start) / 1000 }];
      });
      assert.deepEqual(
        checks.filter(({ code, seconds }) => code !== 0 && seconds > 8),
        [],
      );
      return checks.filter(({ seconds }) => seconds > 8).length >= 9 ? true : undefined;
    };
    await until("checks take a pause of eight seconds and more", 60_000, look, 1000);
  });

  it("keeps every secret out of the state, the output and the process list", async () => {
    const { stdout } = await lab.pulumi("stack", "export", "--show-secrets", "--stack", lab.lab.name);
    const { deployment } = JSON.parse(stdout) as Export;
    const secrets = deployment.resources
      .filter((one) => one.type === "random:index/randomPassword:RandomPassword")
      .map((one) => JSON.parse((one.outputs as { result: { plaintext: string } }).result.plaintext) as string);
    assert.ok(secrets.length >= 4, "generated secrets are in the state");

    const state = await readFile(
      join(lab.lab.directory, "state", ".pulumi", "stacks", "berth", `${lab.lab.name}.json`),
      "utf8",
    );
    const up = await lab.pulumi("up", "--yes", "--diff", "--show-config", "--show-sames");
    const host = `berth-${lab.lab.name}-host1`;
    const processes = await lab.run("docker", "exec", host, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '");
    const services = await lab.run(
      "docker",
      "exec",
      host,
      "sh",
      "-c",
      "docker service ls -q | xargs docker service inspect",
    );
    for (const [place, text] of Object.entries({
      state,
      "output of up": up.stdout + up.stderr,
      "process list": processes.stdout,
      "service specs": services.stdout,
    })) {
      assert.ok(text.length > 100, place);
      for (const secret of secrets) {
        assert.ok(!text.includes(secret), `a generated secret stands in the ${place}`);
        assert.ok(!text.includes(Buffer.from(secret).toString("base64")), `a generated secret stands in the ${place}`);
      }
    }
  });

  async function answer(path: string): Promise<[number, string]> {
    const { status, body } = await lab.get(path);
    return [status, body];
  }
});
