import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket as TcpSocket } from "node:net";
import * as packet from "dns-packet";
import { answer, rcode } from "./dns-answer.ts";
import type { Store } from "./store.ts";

export interface DnsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Serves the zones over UDP and TCP on one port; port 0 is any that is free for both. */
export async function serveDns(store: Store, host: string, port: number): Promise<DnsServer> {
  const udp = createSocket("udp4");
  udp.on("message", (bytes, peer) => {
    const reply = handle(bytes, store, "udp");
    if (reply) udp.send(reply, peer.port, peer.address);
  });
  const tcp = createServer((socket) => {
    serveStream(socket, store);
  });
  udp.bind(port, host);
  await once(udp, "listening");
  const bound = udp.address().port;
  tcp.listen(bound, host);
  try {
    await once(tcp, "listening");
  } catch (error) {
    udp.close();
    // What the kernel gave for UDP may be some connection's port for TCP.
    if (port === 0 && (error as NodeJS.ErrnoException).code === "EADDRINUSE") return serveDns(store, host, port);
    throw error;
  }
  return { port: bound, close: () => close(udp, tcp) };
}

/** The bytes of the answer; nothing for what isn't DNS at all. */
function handle(bytes: Buffer, store: Store, transport: "udp" | "tcp"): Buffer | undefined {
  try {
    const query = packet.decode(bytes);
    const reply = answer(query, store);
    const whole = packet.encode(reply);
    const opt = query.additionals?.find(({ type }) => type === "OPT") as { udpPayloadSize?: number } | undefined;
    const limit = Math.max(512, opt?.udpPayloadSize ?? 512);
    if (transport === "tcp" || whole.length <= limit) return whole;
    const flags = (reply.flags ?? 0) | packet.TRUNCATED_RESPONSE;
    return packet.encode({ ...reply, flags, answers: [], authorities: [] });
  } catch {
    // The library throws on whatever is not a whole packet; nobody's garbage may end the service.
    return bytes.length < 12 ? undefined : malformed(bytes);
  }
}

function malformed(bytes: Buffer): Buffer {
  return packet.encode({ type: "response", id: bytes.readUInt16BE(0), flags: rcode.formatError, questions: [] });
}

function serveStream(socket: TcpSocket, store: Store): void {
  let received = Buffer.alloc(0);
  socket.setTimeout(10_000, () => socket.destroy());
  // A peer that goes away in the middle is its own business.
  socket.on("error", () => socket.destroy());
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes]);
    while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
      const end = 2 + received.readUInt16BE(0);
      const reply = handle(received.subarray(2, end), store, "tcp");
      received = received.subarray(end);
      if (!reply) return void socket.destroy();
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([length, reply]));
    }
  });
}

async function close(udp: Socket, tcp: Server): Promise<void> {
  udp.close();
  tcp.close();
  await Promise.all([once(udp, "close"), once(tcp, "close")]);
}
