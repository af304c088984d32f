import { labAccount } from "../../lab/cloudflare/store.ts";
import { Client } from "../../lab/plugins/cloudflare/client.ts";
import { plugin } from "../../lab/plugins/cloudflare/plugin.ts";
import type { CheckFailure, Context, Diff, Properties, ResourceType } from "../../lab/plugins/framework/types.ts";
import { TestCloudflare } from "./cloudflare.ts";

export const zoneId = "5f0c0ffee0ddba11deadbeef00112233";
export const accountId = labAccount.id;

export function typeOf(name: string): ResourceType<Client> {
  const type = plugin.resources[`cloudflare:index/${name.charAt(0).toLowerCase()}${name.slice(1)}:${name}`];
  if (!type) throw new Error(`no ${name}`);
  return type;
}

/** The cloudflare plugin's resources in this process, with a Cloudflare of the lab's own. */
export class StandIn {
  readonly lab: TestCloudflare;
  /** For a call: new each time, as the engine has it. */
  get context(): Context<Client> {
    return {
      urn: "urn",
      client: new Client(this.lab.baseUrl, this.lab.token),
      signal: new AbortController().signal,
    };
  }

  private constructor(lab: TestCloudflare) {
    this.lab = lab;
  }

  static async start(): Promise<StandIn> {
    return new StandIn(await TestCloudflare.start());
  }

  stop(): Promise<void> {
    return this.lab.stop();
  }
}

export const check = (name: string, inputs: Properties): readonly CheckFailure[] =>
  typeOf(name).check(inputs, { urn: "urn", olds: {}, randomSeed: new Uint8Array() }).failures;

export const diff = (name: string, olds: Properties, news: Properties): Diff =>
  typeOf(name).diff({ id: "", olds, oldInputs: news, news });

/* Rules that several tests have. */

export const block = {
  ref: "probe",
  action: "block",
  expression: '(http.request.uri.path eq "/wp-login.php")',
  actionParameters: { response: { statusCode: 403, content: "no", contentType: "text/plain" } },
};
export const ruleset = { zoneId, kind: "zone", name: "berth", phase: "http_request_firewall_custom", rules: [block] };
export const cached = {
  ref: "assets",
  action: "set_cache_settings",
  expression: 'starts_with(http.request.uri.path, "/assets/")',
  actionParameters: {
    cache: true,
    edgeTtl: {
      mode: "override_origin",
      default: 86_400,
      statusCodeTtls: [{ statusCodeRange: { from: 400, to: 599 }, value: 0 }],
    },
    browserTtl: { mode: "respect_origin" },
    serveStale: { disableStaleWhileUpdating: false },
  },
};
export const headers = (value: string) => ({
  ref: "headers",
  action: "rewrite",
  expression: "true",
  actionParameters: { headers: { "X-Frame-Options": { operation: "set", value } } },
});
export const redirect = {
  ref: "www",
  action: "redirect",
  expression: '(http.host eq "www.palmistry.test")',
  actionParameters: {
    fromValue: { statusCode: 301, targetUrl: { value: "https://palmistry.test" }, preserveQueryString: true },
  },
};
