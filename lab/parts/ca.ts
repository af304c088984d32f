import { execFile } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const day = 86_400_000;

/** PEM files on disk; the key is readable by its owner only. */
export interface KeyPair {
  readonly certificate: string;
  readonly privateKey: string;
}

/**
 * The lab's own certificate authority, `ca.pem` and `ca.key` in a directory; made on the first call, kept from then on.
 * It vouches for what the lab itself serves (registry, Pebble's listener). Trust it on lab hosts only.
 */
export function ensureCa(directory: string): Promise<KeyPair> {
  return inTurn(() => makeCa(directory));
}

/**
 * A server certificate from the lab's CA, `<name>.pem` (with the CA behind it) and `<name>.key` in the CA's directory.
 * Made again when it is near its end, the CA is another one, or the names differ.
 * @param names DNS names and IP addresses by which the server is reached
 */
export function ensureServerCertificate(directory: string, name: string, names: string[]): Promise<KeyPair> {
  return inTurn(() => makeServerCertificate(directory, name, names));
}

let last: Promise<unknown> = Promise.resolve();

/** One after another, so that two parts that are prepared at the same time don't each make a CA. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work, work);
  last = result;
  return result;
}

async function makeCa(directory: string): Promise<KeyPair> {
  const pair = { certificate: join(directory, "ca.pem"), privateKey: join(directory, "ca.key") };
  if (await valid(pair, 30 * day)) return pair;
  const config = [
    "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = ca",
    "[name]\nO = berth\nCN = berth lab CA",
    "[ca]\nbasicConstraints = critical,CA:true,pathlen:0\nkeyUsage = critical,keyCertSign,cRLSign",
    "subjectKeyIdentifier = hash\n",
  ].join("\n");
  await replace(directory, pair, async (at) => {
    await writeFile(at("config"), config);
    await openssl("req", "-x509", ...newKey(at("key")), "-days", "3650", "-config", at("config"), "-out", at("cert"));
  });
  return pair;
}

async function makeServerCertificate(directory: string, name: string, names: string[]): Promise<KeyPair> {
  const ca = await makeCa(directory);
  const pair = { certificate: join(directory, `${name}.pem`), privateKey: join(directory, `${name}.key`) };
  const issuer = new X509Certificate(await readFile(ca.certificate));
  if (await valid(pair, 30 * day, (leaf) => leaf.verify(issuer.publicKey) && sameNames(leaf, names))) return pair;
  const config = [
    "[req]\nprompt = no\ndistinguished_name = name",
    `[name]\nO = berth lab\nCN = ${name}`,
    "[server]\nbasicConstraints = critical,CA:false\nkeyUsage = critical,digitalSignature",
    "extendedKeyUsage = serverAuth\nsubjectKeyIdentifier = hash\nauthorityKeyIdentifier = keyid",
    `subjectAltName = ${names.map((each) => `${isIP(each) ? "IP" : "DNS"}:${each}`).join(",")}\n`,
  ].join("\n");
  await replace(directory, pair, async (at) => {
    await writeFile(at("config"), config);
    await openssl("req", "-new", ...newKey(at("key")), "-config", at("config"), "-out", at("request"));
    const signing = ["-CA", ca.certificate, "-CAkey", ca.privateKey, "-CAcreateserial", "-CAserial", at("serial")];
    const extensions = ["-extfile", at("config"), "-extensions", "server", "-days", "825"];
    await openssl("x509", "-req", "-in", at("request"), ...signing, ...extensions, "-out", at("leaf"));
    await writeFile(at("cert"), (await readFile(at("leaf"), "utf8")) + (await readFile(ca.certificate, "utf8")));
  });
  return pair;
}

function newKey(path: string): string[] {
  return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-sha256", "-keyout", path];
}

/** Whether both files are there, belong together, live for `least` ms more and pass `check`. */
async function valid(pair: KeyPair, least: number, check: (leaf: X509Certificate) => boolean = () => true) {
  const [certificate, key] = await Promise.all([read(pair.certificate), read(pair.privateKey)]);
  if (certificate === undefined || key === undefined) return false;
  const leaf = new X509Certificate(certificate);
  return leaf.validToDate.getTime() - Date.now() > least && leaf.checkPrivateKey(createPrivateKey(key)) && check(leaf);
}

function sameNames(leaf: X509Certificate, names: readonly string[]): boolean {
  const found = (leaf.subjectAltName ?? "").split(", ").map((each) => each.replace(/^(DNS|IP Address):/, ""));
  return found.sort().join() === [...names].sort().join();
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Works in a directory of its own and moves the finished files into place, the key first:
 * interrupted at any point, the pair is the old one or one that `valid` refuses, never a silent mixture.
 */
async function replace(directory: string, pair: KeyPair, make: (at: (file: string) => string) => Promise<void>) {
  await mkdir(directory, { recursive: true });
  const scratch = await mkdtemp(join(directory, ".new-"));
  try {
    await make((file) => join(scratch, file));
    await rename(join(scratch, "key"), pair.privateKey);
    await rename(join(scratch, "cert"), pair.certificate);
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function openssl(...args: string[]): Promise<void> {
  try {
    await run("openssl", args);
  } catch (error) {
    const failure = error as NodeJS.ErrnoException & { stderr?: string };
    if (failure.code === "ENOENT")
      throw new Error("openssl: not found on PATH; install it (Debian: apt-get install openssl)", { cause: error });
    throw new Error(`openssl ${args[0] ?? ""} failed: ${(failure.stderr ?? failure.message).trim()}`, { cause: error });
  }
}
