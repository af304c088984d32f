import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createServer as createTlsServer } from "node:tls";
import type { ManagedStore } from "../../components/config/store.ts";
import { renderManagedCheck } from "../../components/data/managed.render.ts";
import { ensureCa, ensureServerCertificate } from "../../lab/parts/ca.ts";
import { checkScript } from "../support/shell.ts";

/* The check of a managed store against real listeners: what passes, and what a failure says. */

describe("the check of a managed store", function () {
  this.timeout(20_000);
  const directory = mkdtempSync(join(tmpdir(), "berth-managed-"));
  const closing: (() => void)[] = [];
  let ca: string;
  let encrypted: number;
  let misnamed: number;
  let plain: number;

  before(async () => {
    ca = readFileSync((await ensureCa(directory)).certificate, "utf8");
    encrypted = await listen(await tlsServer("store", ["localhost", "127.0.0.1"]));
    misnamed = await listen(await tlsServer("other", ["other.test"]));
    plain = await listen(createServer((socket) => socket.end()));
  });
  after(() => {
    for (const close of closing) close();
    rmSync(directory, { recursive: true });
  });

  async function tlsServer(name: string, names: string[]): Promise<ReturnType<typeof createServer>> {
    const { certificate, privateKey } = await ensureServerCertificate(directory, name, names);
    const options = { cert: readFileSync(certificate), key: readFileSync(privateKey) };
    return createTlsServer(options, (socket) => socket.end());
  }

  async function listen(server: ReturnType<typeof createServer>): Promise<number> {
    server.on("connection", (socket) => socket.on("error", () => socket.destroy()));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(() => server.close());
    return (server.address() as AddressInfo).port;
  }

  async function check(
    url: string,
    changes: Partial<ManagedStore> = {},
  ): Promise<{ code: number | null; said: string }> {
    const spec = { server: "redis", tls: true, ca, ...changes } as const;
    const script = renderManagedCheck({ name: "cache", spec, url, release: "0123" });
    const shell = spawn("sh", ["-s"], { stdio: ["pipe", "pipe", "pipe"] });
    shell.stdin.end(script);
    const [out, err] = await Promise.all([text(shell.stdout), text(shell.stderr), once(shell, "close")]);
    return { code: shell.exitCode, said: out + err };
  }

  it("passes a server that shows a certificate for its name, by name or address", async () => {
    for (const host of ["localhost", "127.0.0.1"]) {
      assert.deepEqual(await check(`rediss://:hidden@${host}:${encrypted}`), { code: 0, said: "reached\n" });
    }
  });

  it("passes a server in clear where the system says so", async () => {
    assert.equal((await check(`redis://:hidden@localhost:${plain}`, { tls: false })).code, 0);
  });

  for (const [title, url, changes, problem] of [
    [
      "a server that is not there",
      () => `rediss://:hidden@localhost:1`,
      {},
      /^cache: cannot be reached at localhost:1 from \S+; check the URL/,
    ],
    [
      "a host that is not there",
      () => `rediss://:hidden@none.invalid`,
      {},
      /^cache: cannot be reached at none\.invalid:6379 /,
    ],
    [
      "a certificate that nobody vouches for",
      () => `rediss://:hidden@localhost:${encrypted}`,
      { ca: undefined },
      /^cache: shows no valid certificate at localhost:\d+; .*(self-signed|unable to get local issuer)/,
    ],
    [
      "a certificate for another name",
      () => `rediss://:hidden@localhost:${misnamed}`,
      {},
      /^cache: shows no valid certificate at localhost:\d+; .*[Hh]ostname mismatch/,
    ],
    [
      "a server in clear",
      () => `rediss://:hidden@localhost:${plain}`,
      {},
      /^cache: shows no valid certificate at localhost:\d+; /,
    ],
    [
      "one of several hosts",
      () => `rediss://:hidden@localhost:${encrypted},localhost:1`,
      {},
      /^cache: cannot be reached at localhost:1 /,
    ],
  ] as const) {
    it(`fails for ${title}, and shows no password`, async () => {
      const { code, said } = await check(url(), changes);
      assert.equal(code, 1);
      assert.match(said, problem);
      assert.doesNotMatch(said, /hidden/);
    });
  }

  it("is a script that shellcheck has nothing to say about", () => {
    checkScript(
      renderManagedCheck({
        name: "db",
        spec: { server: "postgres", tls: true, ca },
        url: "postgres://h",
        release: "0",
      }),
    );
  });
});
