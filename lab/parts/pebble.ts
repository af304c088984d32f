import { request } from "node:https";
import { text } from "node:stream/consumers";
import type { Part } from "./part.ts";

export interface PebbleArgs {
  /** DNS server, `host:port`, by which Pebble finds the hosts it validates: the lab's. */
  dnsServer: string;
  /**
   * Life of an issued certificate. Pebble's own default of five years would never be renewed.
   * @default 7776000 - 90 days, as Let's Encrypt
   */
  validitySeconds?: number;
}

const home = "/etc/pebble";

/**
 * Pebble, Let's Encrypt's small ACME server, as Debian packages it (2.4: `/usr/bin/pebble` and nothing else).
 * Directory: `https://<name>:14000/dir`. It keeps nothing: a restart brings a new root and forgets accounts and orders.
 */
export function renderPebble(args: PebbleArgs): Part {
  const mounts = { certificate: `${home}/tls/cert.pem`, privateKey: `${home}/tls/key.pem` };
  const config = {
    pebble: {
      listenAddress: "0.0.0.0:14000",
      managementListenAddress: "0.0.0.0:15000",
      certificate: mounts.certificate,
      privateKey: mounts.privateKey,
      // The ports at which hosts are validated: the real ones, through the edge.
      httpPort: 80,
      tlsPort: 443,
      ocspResponderURL: "",
      externalAccountBindingRequired: false,
      certificateValidityPeriod: args.validitySeconds ?? 7_776_000,
    },
  };
  return {
    files: { [`${home}/config.json`]: JSON.stringify(config, undefined, 2) + "\n" },
    mounts,
    command: ["pebble", "-config", `${home}/config.json`, "-dnsserver", args.dnsServer],
    env: {
      // Orders are validated anew; otherwise half of them would prove nothing about the edge. One in a hundred proves
      // nothing all the same: Pebble reuses what is proven when a random number from 0 to 99 is not above this.
      PEBBLE_AUTHZREUSE: "0",
      // Up to 15 s of sleep before each validation would only make the lab slow.
      PEBBLE_VA_NOSLEEP: "1",
      // Pebble refuses 5 % of good nonces by default; certbot tries again exactly once, so that about
      // one issue in forty would fail by chance. A lab that fails by chance teaches nothing.
      PEBBLE_WFE_NONCEREJECT: "0",
    },
    ports: { acme: 14_000, management: 15_000 },
  };
}

/**
 * The root that signs what Pebble issues, as PEM; made anew at every start of Pebble.
 * @param management for example `https://127.0.0.1:32769`
 * @param ca the lab's CA as PEM, which vouches for Pebble's own listener
 */
export async function pebbleRoot(management: string, ca: string): Promise<string> {
  const url = new URL("/roots/0", management);
  const { status, body } = await new Promise<{ status: number; body: string }>((resolve, reject) => {
    request(url, { ca, timeout: 5_000 }, (response) => {
      text(response).then((body) => {
        resolve({ status: response.statusCode ?? 0, body });
      }, reject);
    })
      .on("timeout", function (this: { destroy(error: Error): void }) {
        this.destroy(new Error(`${url.href}: no answer within 5 s; is Pebble running?`));
      })
      .on("error", reject)
      .end();
  });
  if (status !== 200 || !body.includes("BEGIN CERTIFICATE"))
    throw new Error(`${url.href}: expected a certificate, got status ${status}; is this Pebble's management port?`);
  return body;
}
