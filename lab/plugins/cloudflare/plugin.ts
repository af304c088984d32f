import type { Plugin } from "../framework/types.ts";
import type { Client } from "./client.ts";
import { connect, providerArguments } from "./config.ts";
import { dnsRecord } from "./dns-record.ts";
import { zoneSetting } from "./zone-setting.ts";

/** Stands in for the official cloudflare plugin where that cannot be had: the resources that berth uses. */
export const plugin: Plugin<Client> = {
  name: "cloudflare",
  version: "6.22.1",
  config: providerArguments,
  configure: (values) => connect(values, process.env),
  resources: {
    "cloudflare:index/dnsRecord:DnsRecord": dnsRecord,
    "cloudflare:index/zoneSetting:ZoneSetting": zoneSetting,
  },
};
