import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { TLSSocket } from "node:tls";
import type { Fault } from "../../lab/cloudflare/faults.ts";
import { setValue } from "../../operations/yaml-edit.ts";
import { clientCertificate, type ClientCertificate } from "../support/client-certificate.ts";
import { until } from "../support/until.ts";
import { createLab, type Result, type TestLab } from "../lab/support/lab.ts";

const day = 24 * 60 * 60 * 1000;
const validity = 90;

interface Visit {
  readonly status: number;
  readonly body: string;
  readonly certificate: X509Certificate;
}

/* The real program, a real host: everything between the stack file and what a visitor's Cloudflare is shown. */
describe("a system behind Cloudflare with certificates of its Origin CA", function () {
  this.timeout(900_000);
  let lab: TestLab;
  let site: string;
  let root: string;
  let own: ClientCertificate;

  before(async () => {
    lab = await createLab({ system: "cap-demo" });
    site = `cp.${lab.lab.domain}`;
    own = clientCertificate();
    root = ((await (await fetch(`${origin()}/lab/origin-ca/ec`)).json()) as { certificate: string }).certificate;
    await say(["cloudflare", "proxied"], true);
    await say(["certificates"], { main: { issuer: "cloudflare-origin", validity } });
    await lab.mustUp();
  });
  after(() => lab.destroy());

  const origin = () => new URL(lab.prepared.parts.cloudflare.baseUrl).origin;
  const text = ({ stdout, stderr }: Result) => stdout + stderr;
  const say = async ([key = "", ...path]: string[], value: unknown): Promise<void> => {
    const before = await readFile(lab.stackFile, "utf8");
    await writeFile(lab.stackFile, setValue(before, ["config", `berth:${key}`, ...path], value));
  };
  const onHost = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await lab.run("docker", "exec", `berth-${lab.lab.name}-host1`, "sh", "-c", script);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  };
  /** Private keys on the host, each once. Beside its own place, a version of the edge's configuration has a copy. */
  const keysOnHost = async (places = "/etc/letsencrypt"): Promise<string[]> => {
    const said = await onHost(`find ${places} -name privkey.pem -type f -exec sh -c 'cat "$1"; echo ,' - {} ';'`);
    const keys = said.split(",").map((key) => key.trim());
    return [...new Set(keys)].filter((key) => key !== "");
  };
  const mustFail = async (): Promise<string> => {
    const failed = await lab.up();
    assert.notEqual(failed.code, 0, text(failed));
    return text(failed);
  };

  async function call(path: string): Promise<unknown> {
    const { baseUrl, token } = lab.prepared.parts.cloudflare;
    const response = await fetch(`${baseUrl}${path}`, { headers: { authorization: `Bearer ${token}` } });
    return ((await response.json()) as { result: unknown }).result;
  }
  const zone = (path: string) => call(`/zones/${lab.prepared.parts.cloudflare.zoneId}${path}`);
  /** Serial numbers of what the Origin CA has signed and not revoked. */
  async function valid(): Promise<string[]> {
    const signed = await call(`/certificates?zone_id=${lab.prepared.parts.cloudflare.zoneId}`);
    return (signed as { certificate: string }[]).map(
      ({ certificate }) => new X509Certificate(certificate).serialNumber,
    );
  }
  async function order(fault: Fault): Promise<void> {
    const response = await fetch(`${origin()}/lab/faults`, { method: "POST", body: JSON.stringify(fault) });
    assert.ok(response.ok, await response.text());
  }

  /** What Cloudflare gets with strict TLS, by which it trusts its Origin CA alone. */
  function visit(shown?: ClientCertificate, path = "/version"): Promise<Visit> {
    const to = { host: "127.0.0.1", port: lab.lab.httpsPort, servername: site, ca: root, agent: false };
    const identity = shown && { cert: shown.certificate, key: shown.key };
    return new Promise((resolve, reject) => {
      request({ ...to, ...identity, path, headers: { host: site }, timeout: 5_000 }, (answer) => {
        const certificate = answer.socket instanceof TLSSocket && answer.socket.getPeerX509Certificate();
        let body = "";
        answer.setEncoding("utf8").on("data", (part: string) => (body += part));
        answer.on("end", () => {
          if (certificate) resolve({ status: answer.statusCode ?? 0, body, certificate });
          else reject(new Error("no certificate"));
        });
      })
        .on("error", reject)
        .end();
    });
  }
  const status = async (shown?: ClientCertificate) => (await visit(shown)).status;

  /** Visits a path without a limit until something is over: how many there were, and those that failed. */
  async function visitDuring(work: () => Promise<unknown>): Promise<{ visits: number; failed: string[] }> {
    const over = new AbortController();
    let visits = 0;
    const failed: string[] = [];
    const visiting = (async () => {
      while (!over.signal.aborted) {
        visits += 1;
        const answer = await visit(undefined, "/health").catch((error: unknown) => String(error));
        if (typeof answer === "string") failed.push(answer);
        else if (answer.status !== 200) failed.push(String(answer.status));
        await pause(20);
      }
    })();
    try {
      await work();
    } finally {
      over.abort();
      await visiting;
    }
    return { visits, failed };
  }

  it("shows Cloudflare a certificate of the Origin CA for the names of the sites", async () => {
    const { status, body, certificate } = await visit();
    assert.deepEqual([status, body], [200, "1.0.0"]);
    assert.deepEqual(
      certificate.subjectAltName?.split(", "),
      [`ap.${lab.lab.domain}`, site].map((name) => `DNS:${name}`),
    );
    assert.deepEqual(await valid(), [certificate.serialNumber]);
    const days = (certificate.validToDate.getTime() - certificate.validFromDate.getTime()) / day;
    assert.equal(Math.round(days), validity);
    assert.equal(((await zone("/settings/ssl")) as { value: string }).value, "strict");
  });

  it("is unchanged for the next preview and a refresh, and as pinned for status", async () => {
    const preview = await lab.pulumi("preview", "--expect-no-changes");
    assert.equal(preview.code, 0, text(preview));
    const refresh = await lab.pulumi("refresh", "--preview-only", "--expect-no-changes");
    assert.equal(refresh.code, 0, text(refresh));
    const seen = await lab.berth("status");
    assert.equal(seen.code, 0, text(seen));
  });

  it("leaves the key on its host: it is in no state, no output and no process list", async () => {
    const [key = "", ...others] = await keysOnHost();
    assert.deepEqual(others, []);
    assert.match(key, /^-----BEGIN PRIVATE KEY-----/);
    const modes = await onHost(
      "find /etc/letsencrypt /var/lib/berth -name privkey.pem -type f -exec stat -c '%a %U' {} + | sort -u",
    );
    assert.equal(modes.trim(), "600 root");
    const lines = key.split("\n").slice(1, -1);
    assert.ok(lines.length >= 2);

    const state = join(lab.lab.directory, "state");
    const up = await lab.pulumi("up", "--yes", "--diff", "--show-config", "--show-sames", "--show-reads");
    const places = {
      "exported state": text(await lab.pulumi("stack", "export", "--show-secrets", "--stack", lab.lab.stack)),
      "state directory": text(await lab.run("grep", "-rhaF", "CERTIFICATE", state)),
      "output of up": text(up),
      "process list": await onHost("cat /proc/[0-9]*/cmdline | tr '\\0' ' '"),
      journal: await onHost("journalctl --no-pager --quiet"),
    };
    assert.match(places["exported state"], /BEGIN CERTIFICATE REQUEST/);
    assert.match(places["state directory"], /BEGIN CERTIFICATE REQUEST/);
    for (const [place, said] of Object.entries(places)) {
      assert.ok(said.length > 100, place);
      for (const line of lines) assert.ok(!said.includes(line), `the key stands in the ${place}`);
    }
    for (const line of lines)
      assert.equal(
        text(await lab.run("grep", "-rlaF", "--", line, lab.lab.directory)),
        "",
        "it is nowhere on this side",
      );
  });

  describe("asked to answer nobody but Cloudflare", () => {
    const log = () => onHost("docker ps --quiet --filter name=berth-edge | xargs -n 1 docker logs 2>&1");
    const noted = (word: string) =>
      until(`the log has ${word}`, 10_000, async () =>
        (await log()).includes(`"clientCertificate":"${word}`) ? true : undefined,
      );
    const stage = (stage: "presented" | "demanded") =>
      say(["cloudflare", "originPulls"], { stage, certificate: own.certificate, ca: own.ca });
    const shown = async () => ({
      enabled: ((await zone("/origin_tls_client_auth/settings")) as { enabled: boolean }).enabled,
      certificates: ((await zone("/origin_tls_client_auth")) as { certificate: string }[]).length,
    });

    before(async () => {
      const args = ["set-all", "--secret", `berth:originPullKey=${own.key}`, "--stack", lab.lab.stack];
      const { code, stderr } = await lab.pulumi("config", ...args);
      assert.equal(code, 0, stderr);
    });

    it("refuses to demand at once what it has not seen yet, and shuts nobody out", async () => {
      await stage("demanded");
      assert.match(
        await mustFail(),
        /demand a client certificate that they have not asked for yet; write stage: presented/,
      );
      assert.equal(await status(), 200);
    });

    it("lets Cloudflare show its certificate first, answers everybody and notes who showed it", async () => {
      await stage("presented");
      await lab.mustUp();
      assert.deepEqual(await shown(), { enabled: true, certificates: 1 });
      assert.equal(await status(), 200);
      await noted("NONE");
      assert.equal(await status(own), 200);
      await noted("SUCCESS");
    });

    it("then answers only who shows it", async () => {
      await stage("demanded");
      await lab.mustUp();
      assert.equal((await visit(own)).body, "1.0.0");
      const refused = await visit();
      assert.equal(refused.status, 400);
      assert.match(refused.body, /No required SSL certificate was sent/);
      assert.equal(await status(clientCertificate()), 400);
      const preview = await lab.pulumi("preview", "--expect-no-changes");
      assert.equal(preview.code, 0, text(preview));
    });

    it("has the client's key sealed in the state, and not on the host", async () => {
      const lines = own.key.split("\n").slice(1, -2);
      assert.ok(lines.length >= 2);
      for (const line of lines) {
        assert.equal(text(await lab.run("grep", "-rlaF", "--", line, join(lab.lab.directory, "state"))), "");
        assert.equal(
          await onHost(`grep -rlF -- '${line}' /etc/letsencrypt /etc/berth /var/lib/berth 2>/dev/null; true`),
          "",
        );
      }
    });

    it("opens again in one step, in which nobody is refused who comes with it or without", async () => {
      await say(["cloudflare", "originPulls"], undefined);
      await say(["originPullKey"], undefined);
      await lab.mustUp();
      assert.equal(await status(), 200);
      assert.equal(await status(own), 200);
      assert.equal((await shown()).certificates, 0);
    });
  });

  describe("due for another one", () => {
    it("names the permission that the token lacks when another one is due, and serves what it has", async () => {
      const { certificate } = await visit();
      await say(["certificates", "main", "generation"], 2);
      const preview = await lab.pulumi("preview", "--diff");
      assert.match(preview.stdout, /edge-host1-certificate-main-signed/, "a preview shows it");
      await order({ method: "POST", path: "/certificates", status: 403 });
      const during = await visitDuring(async () => {
        assert.match(
          await mustFail(),
          /lacks the permission "SSL and Certificates Write" on this zone, got 403 from POST certificates for edge-host1-certificate-main-signed/,
        );
      });
      assert.deepEqual(during.failed, []);
      assert.equal((await visit()).certificate.serialNumber, certificate.serialNumber);
      assert.deepEqual(await valid(), [certificate.serialNumber]);
    });

    /** Serves another key and certificate after an `up`; visitors notice nothing, and the one before is revoked. */
    async function replaced(): Promise<void> {
      const before = await visit();
      const { visits, failed } = await visitDuring(() => lab.mustUp());
      assert.ok(visits > 10, String(visits));
      assert.deepEqual(failed, []);
      const { certificate } = await visit();
      assert.notEqual(certificate.serialNumber, before.certificate.serialNumber);
      assert.deepEqual(await valid(), [certificate.serialNumber]);
      const keys = (await keysOnHost()).map((key) => createPrivateKey(key));
      assert.equal(keys.length, 1, "the key before is gone");
      assert.ok(certificate.checkPrivateKey(keys[0]!));
      assert.ok(!before.certificate.checkPrivateKey(keys[0]!), "it is another key");
      const preview = await lab.pulumi("preview", "--expect-no-changes");
      assert.equal(preview.code, 0, text(preview));
    }

    it("replaces it with the next up, and has the one before revoked", replaced);

    it("renews it by the first up after two thirds of its validity", async () => {
      const options = lab.env["NODE_OPTIONS"];
      lab.env["NODE_OPTIONS"] = `${options ?? ""} --import=${clockAheadBy((validity * 2 * day) / 3)}`.trim();
      const preview = await lab.pulumi("preview", "--diff");
      assert.match(preview.stdout, /edge-host1-certificate-main-signed/, "a preview shows it");
      await replaced();
    });

    it("is revoked when the stack goes, and its key with it", async () => {
      const { code, stdout, stderr } = await lab.pulumi("destroy", "--yes", "--skip-preview");
      assert.equal(code, 0, stdout + stderr);
      assert.deepEqual(await valid(), []);
      assert.deepEqual(await keysOnHost("/etc/letsencrypt /var/lib"), []);
      await assert.rejects(visit());
    });
  });
});

/** For Node's `--import`: programs that begin with it think that it is later. */
function clockAheadBy(milliseconds: number): string {
  const code = `
    const Clock = Date;
    globalThis.Date = class Date extends Clock {
      constructor(...given) {
        super(...(given.length === 0 ? [Date.now()] : given));
      }
      static now() {
        return Clock.now() + ${milliseconds};
      }
    };`;
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
