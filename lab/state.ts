import { randomBytes, randomInt } from "node:crypto";
import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer, type ListenOptions, type Server } from "node:net";
import { dirname } from "node:path";

/** The file's text, or undefined when there is no such file. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Writes a file whole or not at all, and only when its text differs. Returns whether it was written. */
export async function writeFileAtomic(path: string, text: string, mode = 0o644): Promise<boolean> {
  if ((await readIfThere(path)) === text) return false;
  await mkdir(dirname(path), { recursive: true });
  const next = `${path}.${randomBytes(4).toString("hex")}`;
  try {
    await writeFile(next, text, { mode });
    await rename(next, path);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
  return true;
}

/** A text made once and kept from then on, for example a passphrase. */
export async function once(path: string, make: () => string | Promise<string>, mode = 0o600): Promise<string> {
  const kept = await readIfThere(path);
  if (kept !== undefined) return kept;
  const text = await make();
  await writeFileAtomic(path, text, mode);
  return text;
}

/** Ports on 127.0.0.1 by purpose, free when first asked for and the same ones from then on. */
export async function keepPorts<Purpose extends string>(
  path: string,
  purposes: readonly Purpose[],
): Promise<Record<Purpose, number>> {
  const kept: Readonly<Record<string, number | undefined>> = await keptPorts(path);
  const free = await freePorts(purposes.length);
  const ports = Object.fromEntries(purposes.map((purpose, index) => [purpose, kept[purpose] ?? free[index]]));
  await writeFileAtomic(path, JSON.stringify(ports, undefined, 2) + "\n");
  return ports as Record<Purpose, number>;
}

export async function keptPorts(path: string): Promise<Readonly<Record<string, number | undefined>>> {
  return JSON.parse((await readIfThere(path)) ?? "{}") as Record<string, number>;
}

/**
 * Different free ports on 127.0.0.1, all held at once while they are looked for.
 *
 * Below the range from which Linux and Docker hand out ports of their own accord (32768 and up): between the look and
 * the use nobody takes one but on purpose, and no other process of this kind gets it as long as this one lives.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  try {
    while (servers.length < count) {
      const port = randomInt(20_000, 30_000);
      const server = (await reserve(port)) ? await listenIfFree(port) : undefined;
      if (server) servers.push(server);
    }
    return servers.map((server) => (server.address() as { port: number }).port);
  } finally {
    await Promise.all(servers.map(close));
  }
}

/** Whether the port is this process's until it ends: one socket of a name has no file, and goes with its process. */
async function reserve(port: number): Promise<boolean> {
  const server = await ifFree({ path: `\0berth-port-${port}` });
  server?.unref();
  return server !== undefined;
}

/** Whether something listens on 127.0.0.1 there, on this address or on all of them. */
export async function isPortTaken(port: number): Promise<boolean> {
  try {
    const server = await listenIfFree(port);
    if (!server) return true;
    await close(server);
    return false;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Below 1024 only root may listen; the Docker daemon, which will, is root.
    if (code === "EACCES") return false;
    throw error;
  }
}

async function listenIfFree(port: number): Promise<Server | undefined> {
  return ifFree({ port, host: "127.0.0.1", exclusive: true });
}

async function ifFree(address: ListenOptions): Promise<Server | undefined> {
  return listen(address).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return undefined;
    throw error;
  });
}

function listen(address: ListenOptions): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(address, () => {
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
  });
}
