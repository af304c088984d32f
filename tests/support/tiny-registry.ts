import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type IncomingMessage, createServer } from "node:http";
import { join } from "node:path";
import { privateRegistryPort, registryPort } from "./tiny-image.ts";

/*
 * The reading half of a registry, for images written by tiny-image.ts: `node tiny-registry.ts <directory>`. The same
 * images are on two ports; the private one wants the user "user" with the password "pass".
 */
const directory = process.argv[2]!;
const route = /^\/v2\/(.+)\/(?:manifests|blobs)\/([^/]+)$/;
const credentials = `Basic ${Buffer.from("user:pass").toString("base64")}`;

for (const port of [registryPort, privateRegistryPort]) {
  const server = createServer((request, response) => {
    const allowed = port === registryPort || request.headers.authorization === credentials;
    void answer(request, allowed).then(({ status, headers, body }) => {
      response.writeHead(status, { "docker-distribution-api-version": "registry/2.0", ...headers });
      response.end(request.method === "HEAD" ? undefined : body);
    });
  });
  server.listen(port, "127.0.0.1");
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | number>;
  readonly body?: Buffer;
}

async function answer(request: IncomingMessage, allowed: boolean): Promise<Answer> {
  if (!allowed) return { status: 401, headers: { "www-authenticate": 'Basic realm="tiny"' } };
  const url = request.url ?? "/";
  if (url === "/v2/") return { status: 200, headers: {} };
  const [, name, reference] = route.exec(url) ?? [];
  if (name === undefined || reference === undefined) return { status: 404, headers: {} };
  try {
    const body = await readFile(join(directory, name, reference));
    return { status: 200, headers: describe(body), body };
  } catch {
    return { status: 404, headers: {} };
  }
}

function describe(body: Buffer): Record<string, string | number> {
  // Of the blobs, a manifest is the one that names its own type.
  const { mediaType = "application/octet-stream" } = (
    body.subarray(0, 1).toString() === "{" ? JSON.parse(body.toString()) : {}
  ) as { mediaType?: string };
  return {
    "content-type": mediaType,
    "content-length": body.length,
    "docker-content-digest": `sha256:${createHash("sha256").update(body).digest("hex")}`,
  };
}
