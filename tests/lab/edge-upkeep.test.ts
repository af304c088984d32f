import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:tls";
import { setValue } from "../../operations/yaml-edit.ts";
import { startLoad } from "../support/load.ts";
import { until } from "../support/until.ts";
import { sharedLab, type TestLab } from "./support/lab.ts";

describe("an edge host", function () {
  this.timeout(900_000);
  let lab: TestLab;

  before(async () => {
    lab = await sharedLab();
  });

  async function onHost(script: string): Promise<string> {
    const { code, stdout, stderr } = await lab.run("docker", "exec", `berth-${lab.lab.name}-host1`, "sh", "-c", script);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  }

  /** Serial number of the certificate that visitors are shown. */
  function serial(): Promise<string> {
    return new Promise((resolve, reject) => {
      const to = { host: "127.0.0.1", port: lab.lab.httpsPort, servername: lab.lab.domain, rejectUnauthorized: false };
      const socket = connect(to, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.end();
      }).on("error", reject);
    });
  }

  it("renews its certificate by the distribution's timer, unnoticed by visitors", async () => {
    const before = await serial();
    assert.equal((await onHost("systemctl is-active certbot.timer")).trim(), "active");
    const connection = { connect: `127.0.0.1:${lab.lab.httpsPort}`, seconds: 120 };
    const load = await startLoad({ ...connection, url: `https://${lab.lab.domain}/`, rate: 50 });
    // Due at once, as it will be some weeks before it expires.
    const renewal = `/etc/letsencrypt/renewal/${(await onHost("ls /etc/letsencrypt/renewal")).trim()}`;
    await onHost(`sed -i 's/^renew_before_expiry = .*/renew_before_expiry = 36500 days/' ${renewal}`);
    await onHost("systemctl start certbot.service");
    const { requests, reasons } = await load.stop();
    assert.notEqual(await serial(), before);
    assert.equal((await lab.get("/api/health")).status, 200, "the new certificate is the authority's");
    assert.deepEqual(reasons, {}, `of ${requests} requests`);
  });

  it("gets another certificate when an operator asks for it, and has the one before revoked when they say so", async () => {
    const before = await serial();
    const renewed = await lab.berth("certificate", "renew");
    assert.equal(renewed.code, 0, renewed.stdout + renewed.stderr);
    const between = await serial();
    assert.notEqual(between, before);
    const revoked = await lab.berth("certificate", "revoke", "main", "--reason", "superseded");
    assert.equal(revoked.code, 0, revoked.stdout + revoked.stderr);
    assert.match(revoked.stdout + revoked.stderr, /revoked: the certificate main of palmistry before this one/);
    assert.notEqual(await serial(), between);
    assert.equal((await lab.get("/api/health")).status, 200, "it is the authority's");
    const preview = await lab.pulumi("preview", "--expect-no-changes");
    assert.equal(preview.code, 0, preview.stdout + preview.stderr);
  });

  it("serves on when the authority fails, and the up says why", async () => {
    const good = await readFile(lab.stackFile, "utf8");
    const before = await serial();
    await writeFile(lab.stackFile, setValue(good, ["config", "berth:acme", "directory"], "https://pebble.test:9/dir"));
    try {
      const { code, stdout, stderr } = await lab.up();
      assert.notEqual(code, 0);
      assert.match(stdout + stderr, /pebble\.test.*Connection refused/);
      assert.match(
        stdout + stderr,
        /no certificate from https:\/\/pebble\.test:9\/dir; the edge serves the one it had/,
      );
      assert.equal(await serial(), before);
      assert.equal((await lab.get("/api/health")).status, 200);
    } finally {
      await writeFile(lab.stackFile, good);
    }
    await lab.mustUp();
    const { code, stdout } = await lab.berth("status");
    assert.equal(code, 3);
    assert.match(stdout, /certificate main on host1: getting or renewing it failed at /);
    // Nothing is due: the next look by the timer finds the authority well.
    await onHost("systemctl start certbot.service");
    assert.equal((await lab.berth("status")).code, 0);
    assert.equal(await serial(), before, "nothing was issued in vain");
  });

  it("comes back after a restart of Docker", async () => {
    await onHost("systemctl restart docker");
    await until("the site answers", 60_000, () =>
      lab.get("/api/version").then(
        ({ status }) => (status === 200 ? true : undefined),
        () => undefined,
      ),
    );
    await lab.mustUp();
  });
});
