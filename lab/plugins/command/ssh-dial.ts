import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { types } from "@pulumi/command";
import type { Unwrap } from "@pulumi/pulumi";
import ssh2 from "ssh2";
import type { AuthenticationType, Client, ConnectConfig } from "ssh2";
import type { Context } from "../framework/types.ts";

type Endpoint = Unwrap<types.input.remote.ProxyConnectionArgs>;
export type Connection = Unwrap<types.input.remote.ConnectionArgs>;

/** Connects as the real provider does: the same retries, waits and error texts. */
export async function dial(connection: Connection, context: Context<undefined>): Promise<Client> {
  const login = await loginTo(connection);
  if (connection.proxy === undefined) {
    return retrying("Dial", connection, context, async () => handshake(login, await tcp(connection)));
  }
  try {
    const proxy = connection.proxy;
    const proxyLogin = await loginTo(proxy);
    const jump = await retrying("Dial proxy", proxy, context, async () => handshake(proxyLogin, await tcp(proxy)));
    const client = await retrying("Dial from proxy", connection, context, async () =>
      handshake(login, await forward(jump, connection)),
    );
    client.once("close", () => jump.end());
    return client;
  } catch (error) {
    throw new Error(`proxy: ${message(error)}`, { cause: error });
  }
}

/** `dialErrorLimit` counts retries: one more attempt is made. -1 goes on until the operation is cancelled. */
async function retrying<Result>(
  what: string,
  { dialErrorLimit = 10 }: Endpoint,
  context: Context<undefined>,
  attempt: () => Promise<Result>,
): Promise<Result> {
  const limit = dialErrorLimit < 0 ? Infinity : dialErrorLimit;
  let waitMs = 100;
  for (let failed = 0; ; failed++) {
    try {
      return await attempt();
    } catch (error) {
      if (failed >= limit) throw new Error(`after ${failed} failed attempts: ${message(error)}`, { cause: error });
    }
    context.log?.("info", `${what} ${failed + 1}/${limit === Infinity ? "inf" : limit} failed: retrying`, "status");
    await sleep(waitMs);
    if (context.signal.aborted) throw new Error("context canceled");
    waitMs = Math.min(waitMs * 1.5, 5000);
  }
}

async function loginTo(endpoint: Endpoint): Promise<ConnectConfig> {
  const { user = "root", password, privateKey, privateKeyPassword, perDialTimeout = 15 } = endpoint;
  const agent = endpoint.agentSocketPath ?? (process.env["SSH_AUTH_SOCK"] || undefined);
  if (agent !== undefined) await checkAgent(agent);
  // One try per method: an agent's keys would be a second try of "publickey".
  const methods: AuthenticationType[] = [
    "none",
    ...(privateKey === undefined ? [] : (["publickey"] as const)),
    ...(password === undefined ? [] : (["password", "keyboard-interactive"] as const)),
    ...(agent === undefined || privateKey !== undefined ? [] : (["agent"] as const)),
  ];
  return {
    username: user,
    readyTimeout: perDialTimeout * 1000,
    authHandler: methods,
    tryKeyboard: password !== undefined,
    ...(password === undefined ? {} : { password }),
    ...(privateKey === undefined ? {} : { privateKey: checkKey(privateKey, privateKeyPassword) }),
    ...(privateKeyPassword === undefined ? {} : { passphrase: privateKeyPassword }),
    ...(agent === undefined ? {} : { agent }),
    ...(endpoint.hostKey === undefined ? {} : pinned(endpoint.hostKey)),
  };
}

function pinned(hostKey: string): Pick<ConnectConfig, "hostVerifier" | "algorithms"> {
  const key = ssh2.utils.parseKey(hostKey);
  if (key instanceof Error) throw new Error("failed to parse host key: ssh: no key found");
  const wanted = key.getPublicSSH();
  return {
    algorithms: { serverHostKey: [key.type] },
    hostVerifier: (offered: Buffer) => offered.equals(wanted),
  };
}

/** Refuses an unusable key before anything is dialled, without repeating a byte of it. */
function checkKey(privateKey: string, passphrase: string | undefined): string {
  const parsed = ssh2.utils.parseKey(privateKey, passphrase);
  if (!(parsed instanceof Error)) return privateKey;
  if (/no passphrase given/.test(parsed.message)) throw new Error("ssh: this private key is passphrase protected");
  if (/integrity|bad passphrase|decrypt/i.test(parsed.message)) throw new Error("x509: decryption password incorrect");
  throw new Error("ssh: no key found");
}

async function checkAgent(path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const socket = connect(path, () => {
    resolve(undefined);
  });
  socket.once("error", (error: NodeJS.ErrnoException) => {
    reject(new Error(`dial unix ${path}: connect: ${networkReason(error)}`));
  });
  await promise.finally(() => socket.destroy());
}

async function tcp({ host, port = 22, perDialTimeout = 15 }: Endpoint): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ host, port });
  const fail = (reason: string) => {
    socket.destroy();
    reject(new Error(`dial tcp ${reason}`));
  };
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  socket.setTimeout(perDialTimeout * 1000, () => {
    fail(`${address}: i/o timeout`);
  });
  socket.once("connect", () => {
    socket.setTimeout(0);
    resolve(socket);
  });
  socket.once("error", (error: NodeJS.ErrnoException) => {
    const unknownHost = error.code === "ENOTFOUND" || error.code === "EAI_AGAIN";
    fail(unknownHost ? `lookup ${host}: no such host` : `${address}: connect: ${networkReason(error)}`);
  });
  return promise;
}

async function forward(jump: Client, { host, port = 22 }: Endpoint): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  jump.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
    if (error === undefined) resolve(channel);
    else reject(new Error(`ssh: rejected: connect failed (${error.message})`));
  });
  return promise;
}

async function handshake(login: ConnectConfig, sock: Duplex): Promise<Client> {
  const { promise, resolve, reject } = Promise.withResolvers<Client>();
  const client = new ssh2.Client();
  client.on("keyboard-interactive", (_name, _instructions, _language, prompts, answer) => {
    answer(prompts.map(() => login.password ?? ""));
  });
  client.once("ready", () => {
    resolve(client);
  });
  client.on("error", (error) => {
    reject(new Error(`ssh: handshake failed: ${handshakeReason(error, login)}`));
    sock.destroy();
  });
  client.once("close", () => {
    reject(new Error("ssh: handshake failed: EOF"));
  });
  client.connect({ ...login, sock: sock });
  return promise;
}

function handshakeReason(error: Error, login: ConnectConfig): string {
  if (error.message.includes("verification failed")) return "ssh: host key mismatch";
  if (error.message === "All configured authentication methods failed") {
    const attempted = (login.authHandler as string[]).map((name) => (name === "agent" ? "publickey" : name));
    return `ssh: unable to authenticate, attempted methods [${attempted.join(" ")}], no supported methods remain`;
  }
  return error.message;
}

function networkReason(error: NodeJS.ErrnoException): string {
  const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: "connection refused",
    ECONNRESET: "connection reset by peer",
    EHOSTUNREACH: "no route to host",
    ENETUNREACH: "network is unreachable",
    ENOENT: "no such file or directory",
    ETIMEDOUT: "connection timed out",
  };
  return reasons[error.code ?? ""] ?? error.message;
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
