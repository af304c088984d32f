import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { DockerError, dockerOver } from "../../../operations/hosts.ts";
import { digestThrough } from "../../../operations/registry.ts";

const digest = `sha256:${"a".repeat(64)}`;
const image = "registry.test/palmistry-api:1.0.0";

describe("asking Docker for an image's digest", () => {
  const answering = (status: number, message: string) => async () => Promise.reject(new DockerError(message, status));

  it("reads the digest out of the distribution's answer", async () => {
    const asked: string[] = [];
    const get = async (path: string) => {
      asked.push(path);
      return Promise.resolve({ Descriptor: { digest } });
    };
    assert.equal(await digestThrough(get, image), digest);
    assert.deepEqual(asked, ["/distribution/registry.test/palmistry-api:1.0.0/json"]);
  });

  for (const [status, message] of [
    [404, "no such manifest"],
    [500, "manifest unknown: manifest unknown"],
    [403, "errors:\ndenied: requested access\nname unknown: repository name not known to registry"],
  ] as const) {
    it(`takes ${status} "${message.split("\n")[0] ?? ""}" for absence`, async () => {
      assert.equal(await digestThrough(answering(status, message), image), undefined);
    });
  }

  it("does not take a failure for absence", async () => {
    await assert.rejects(digestThrough(answering(500, "x509: certificate signed by unknown authority"), image), {
      name: "OperatorError",
      message:
        /^registry\.test\/palmistry-api: the swarm manager cannot look it up at its registry: x509: .*; nothing was changed/,
    });
    const unreachable = async () => Promise.reject(new DockerError("its Docker cannot be reached"));
    await assert.rejects(digestThrough(unreachable, image), { name: "OperatorError" });
  });
});

describe("the Docker API over a connection", () => {
  let server: Server;
  let port: number;
  before(async () => {
    server = createServer((request, response) => {
      if (request.url === "/info") response.end('{"ServerVersion":"27.0"}');
      else if (request.url === "/broken") response.writeHead(502).end("bad gateway\n");
      else if (request.url !== "/silent") response.writeHead(404).end('{"message":"page not found"}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const get = async (path: string, to = port) => {
    const docker = dockerOver("web-1", () => connect(to, "127.0.0.1"), 300);
    try {
      return await docker.get(path);
    } finally {
      docker.close();
    }
  };

  it("answers with what Docker says", async () => {
    assert.deepEqual(await get("/info"), { ServerVersion: "27.0" });
  });

  it("keeps status and words of a refusal", async () => {
    await assert.rejects(get("/nothing"), { name: "DockerError", status: 404, message: "page not found" });
    await assert.rejects(get("/broken"), { name: "DockerError", status: 502, message: "bad gateway" });
  });

  it("gives up on a host that does not answer", async () => {
    await assert.rejects(get("/silent"), { status: undefined, message: /no answer within 0.3 s/ });
  });

  it("says why a host cannot be reached", async () => {
    await assert.rejects(get("/info", 1), {
      status: undefined,
      message: /^its Docker cannot be reached, got ".*ECONNREFUSED/,
    });
  });
});
