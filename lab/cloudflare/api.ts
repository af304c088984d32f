import { refuse } from "./errors.ts";
import { accessRuleRoutes } from "./resources/access-rules.ts";
import { botManagementRoutes } from "./resources/bot-management.ts";
import { cachingRoutes } from "./resources/caching.ts";
import { dnsRecordRoutes } from "./resources/dns-records.ts";
import { Ranges } from "./resources/ips.ts";
import { loadBalancerRoutes, poolAndMonitorRoutes } from "./resources/load-balancing.ts";
import { originCertificateRoutes } from "./resources/origin-certificates.ts";
import { originPullRoutes } from "./resources/origin-pulls.ts";
import { rulesetRoutes } from "./resources/rulesets.ts";
import { zoneSettingRoutes } from "./resources/zone-settings.ts";
import { accessPolicyRoutes, accessRoutes } from "./resources/zero-trust.ts";
import { answerZones, zoneRoutes } from "./resources/zones.ts";
import { dispatch, type ApiAnswer, type ApiRequest, type Route } from "./route.ts";
import { labAccount, type Store } from "./store.ts";
import { bearer, findToken, type Token } from "./tokens.ts";

const belowZone: readonly Route[] = [
  ...[...zoneRoutes, ...dnsRecordRoutes, ...zoneSettingRoutes, ...rulesetRoutes, ...cachingRoutes],
  ...[...loadBalancerRoutes, ...originPullRoutes, ...botManagementRoutes, ...accessRuleRoutes, ...accessRoutes],
];
const belowAccount: readonly Route[] = [
  ...[...poolAndMonitorRoutes, ...accessPolicyRoutes, ...accessRoutes, ...accessRuleRoutes],
];

/** The part of Cloudflare's API v4 that berth's resources use; whatever else is asked for is refused. */
export class Api {
  readonly #store: Store;
  readonly #tokenFile: string;
  /** The networks that the lab's Cloudflare says it connects from. */
  readonly ranges = new Ranges();

  constructor(store: Store, tokenFile: string) {
    this.#store = store;
    this.#tokenFile = tokenFile;
  }

  answer(request: ApiRequest): ApiAnswer {
    // Public: nobody has to show a token.
    if (request.path === "/ips") return this.ranges.answer(request);
    const token = findToken(this.#tokenFile, bearer(request.authorization));
    const [root, ...rest] = request.path.split("/").filter(Boolean);
    if (root === "user" && rest.join("/") === "tokens/verify") return verify(request, token);
    if (!token) throw refuse.unknownToken();
    const call = { request, token, store: this.#store };
    if (root === "certificates") return dispatch(originCertificateRoutes, rest, { ...call, scope: labAccount.id });
    const [scope, ...below] = rest;
    if (root === "zones") {
      if (scope === undefined) return answerZones(request, token, this.#store);
      const zone = this.#store.zones.find(({ id }) => id === scope);
      if (!zone) throw refuse.noObject(request.path);
      return dispatch(belowZone, below, { ...call, scope, zone });
    }
    if (root !== "accounts" || scope === undefined) throw refuse.noRoute();
    if (scope !== labAccount.id) throw refuse.noObject(request.path);
    return dispatch(belowAccount, below, { ...call, scope });
  }
}

function verify(request: ApiRequest, token: Token | undefined): ApiAnswer {
  if (request.method !== "GET") throw refuse.method();
  if (!token) throw refuse.unverifiedToken();
  const message = { code: 10_000, message: "This API Token is valid and active", type: null };
  return { result: { id: token.id, status: "active" }, messages: [message] };
}
