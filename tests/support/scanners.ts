import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import Docker from "dockerode";
import { ensureImages } from "../../lab/build.ts";
import { ensurePip } from "../../lab/go.ts";
import { scannerImage } from "../../lab/images.ts";
import { labNamed } from "../../lab/settings.ts";
import { exists } from "../../lab/state.ts";
import { until } from "./until.ts";

/*
 * Programs that nobody here wrote and that judge the edge. Their registries' own clients bring them, at exact versions,
 * into the cache beside the lab's images: the project itself needs none of their hundreds of packages.
 */

const run = promisify(execFile);
const repository = join(import.meta.dirname, "../..");
const gixyVersion = "0.2.59";
const aioquicVersion = "1.7.2";
const observatoryVersion = "1.4.8";
const { cache } = labNamed("scanners", repository, { http: 0, https: 0 });

/** Made in another place and put into its own by one rename. */
async function brought(name: string, bring: (place: string) => Promise<void>): Promise<string> {
  const place = join(cache, "scanners", name);
  if (await exists(place)) return place;
  const next = `${place}.${process.pid}`;
  await mkdir(dirname(next), { recursive: true });
  try {
    await bring(next);
    if (!(await exists(place))) await rename(next, place);
  } finally {
    await rm(next, { recursive: true, force: true });
  }
  return place;
}

/** A Python with these packages, as `PYTHONPATH`. */
async function pythonPackages(name: string, version: string): Promise<string> {
  return brought(`${name}-${version}`, async (place) => {
    await ensurePip(() => undefined);
    await run("python3", ["-m", "pip", "install", "--quiet", "--target", place, `${name}==${version}`]);
  });
}

/** One request of `http3-client.py`. */
export interface Http3Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Why there was no answer. */
  readonly failed?: string;
}

/** Asks over HTTP/3 while something happens, at least once, on one connection as long as that lasts. */
export async function overHttp3(
  edge: { readonly httpsPort: number },
  host: string,
  happening?: () => Promise<void>,
): Promise<Http3Answer[]> {
  const PYTHONPATH = await pythonPackages("aioquic", aioquicVersion);
  const count = happening ? "0" : "1";
  const args = [join(import.meta.dirname, "http3-client.py"), "127.0.0.1", String(edge.httpsPort), host, "/", count];
  const child = spawn("python3", args, { env: { ...process.env, PYTHONPATH } });
  const errors = text(child.stderr);
  const answers: Http3Answer[] = [];
  const lines = createInterface(child.stdout).on("line", (line) => answers.push(JSON.parse(line) as Http3Answer));
  const closed = once(lines, "close");
  /** One that was asked for after this. */
  const next = async (): Promise<void> => {
    const before = answers.length;
    await until("another answer", 60_000, () =>
      Promise.resolve(answers.slice(before + 1).some(({ status }) => status === 200) ? true : undefined),
    );
  };
  try {
    if (happening) {
      await next();
      await happening();
      await next();
    }
  } finally {
    child.stdin.end();
  }
  await closed;
  if (answers.length === 0) throw new Error(await errors);
  return answers;
}

export interface GixyFinding {
  readonly plugin: string;
  readonly severity: string;
  readonly reason: string;
  readonly config: string;
}

/** What gixy has to say about a configuration, and everything that nginx includes from it. */
export async function gixy(configuration: string, nginxVersion: string): Promise<GixyFinding[]> {
  const packages = await pythonPackages("gixy-ng", gixyVersion);
  const args = ["-m", "gixy", "--format", "json", "--nginx-version", nginxVersion, configuration];
  const env = { ...process.env, PYTHONPATH: packages };
  // Ends with 1 when it has found something; what it found says more.
  const { stdout } = await run("python3", args, { env, maxBuffer: 1e8 }).catch((error: unknown) => {
    const { code, stdout } = error as { code: unknown; stdout: string };
    if (code !== 1 || stdout === "") throw error;
    return { stdout };
  });
  return JSON.parse(stdout) as GixyFinding[];
}

/** A site as a scanner is to find it. */
export interface Target {
  readonly host: string;
  /** A path that is answered with a page. */
  readonly path: string;
  /** Where the edge is on the network. */
  readonly address: string;
  readonly network: string;
  /** PEM file of the authority that its certificate is from. */
  readonly ca: string;
}

export interface ObservatoryResult {
  readonly scan: { readonly grade: string; readonly score: number };
  readonly tests: Readonly<Record<string, { readonly pass: boolean; readonly result: string }>>;
}

/** MDN's HTTP Observatory: grade and tests of a site's headers, as a visitor on the edge's network gets them. */
export async function observatory(target: Target): Promise<ObservatoryResult> {
  const name = "@mdn/mdn-http-observatory";
  const packages = await brought(`observatory-${observatoryVersion}`, async (place) => {
    await mkdir(place);
    await writeFile(join(place, "package.json"), "{}\n");
    // Its scripts would fetch lists of domains that are none of ours.
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--omit=optional"];
    await run("npm", ["install", ...options, `${name}@${observatoryVersion}`], { cwd: place });
    await writeFile(join(place, "node_modules", name, "conf/hsts-preload.json"), "{}\n");
  });
  const text = await scan(target, [
    ...["--volume", `${process.execPath}:/usr/local/bin/node:ro`, "--volume", `${packages}:/observatory:ro`],
    ...["--env", "NODE_EXTRA_CA_CERTS=/ca.pem"],
    ...[await scanner(), "node", `/observatory/node_modules/${name}/src/scan.js`, `${target.host}${target.path}`],
  ]);
  return JSON.parse(text) as ObservatoryResult;
}

export interface TlsFinding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

/** testssl.sh: everything that it looks at. */
export async function testssl(target: Target): Promise<TlsFinding[]> {
  const options = `--quiet --color 0 --warnings batch --ip ${target.address} --add-ca /ca.pem --jsonfile /tmp/found.json`;
  const script = `testssl ${options} ${target.host}:443 >/tmp/said || [ -s /tmp/found.json ] || { cat /tmp/said >&2; exit 1; }
cat /tmp/found.json`;
  return JSON.parse(await scan(target, [await scanner(), "sh", "-c", script])) as TlsFinding[];
}

async function scanner(): Promise<string> {
  const image = scannerImage(repository);
  await ensureImages(new Docker(), cache, [image], () => undefined);
  return image.tag;
}

async function scan({ host, address, network, ca }: Target, command: readonly string[]): Promise<string> {
  const place = ["--network", network, "--add-host", `${host}:${address}`, "--volume", `${ca}:/ca.pem:ro`];
  try {
    const { stdout } = await run("docker", ["run", "--rm", ...place, ...command], { maxBuffer: 1e8 });
    return stdout;
  } catch (error) {
    const { message, stdout } = error as Error & { stdout: string };
    throw new Error(`${message}\n${stdout}`, { cause: error });
  }
}
