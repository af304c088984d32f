import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate that a client shows, with its key and the CA that signed it; all PEM. */
export interface ClientCertificate {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** Another CA and another key with each call. */
export function clientCertificate(caDays = 3): ClientCertificate {
  const directory = mkdtempSync(join(tmpdir(), "berth-client-"));
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  const key = (name: string) => ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", name];
  const ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
  try {
    openssl(
      "req",
      "-x509",
      ...key("ca.key"),
      "-out",
      "ca.pem",
      "-subj",
      `/CN=Origin pulls ${randomBytes(4).toString("hex")}`,
      "-days",
      String(caDays),
    );
    openssl("req", ...key("client.key"), "-out", "client.csr", "-subj", "/CN=Cloudflare");
    openssl("x509", "-req", "-in", "client.csr", ...ca, "-days", "2", "-out", "client.pem");
    const read = (name: string) => readFileSync(join(directory, name), "utf8");
    return { ca: read("ca.pem"), certificate: read("client.pem"), key: read("client.key") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}
