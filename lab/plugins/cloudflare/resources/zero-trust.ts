import type {
  types,
  ZeroTrustAccessApplicationArgs,
  ZeroTrustAccessPolicyArgs,
  ZeroTrustAccessServiceTokenArgs,
} from "@pulumi/cloudflare";
import type { Properties } from "../../framework/types.ts";
import { foreign, list, number, object, set, text, told, truth, type Attribute } from "../attributes.ts";
import { eitherImport, eitherScope, restResource, scopedImport, scopePath } from "../rest.ts";

const one = (key: string, wire?: string): Attribute =>
  object({ [key]: text({ required: true, ...(wire === undefined ? {} : { wire }) }) });

const selector = {
  anyValidServiceToken: object({}),
  authContext: foreign,
  authMethod: foreign,
  azureAd: foreign,
  certificate: foreign,
  cloudflareAccountMember: foreign,
  commonName: foreign,
  devicePosture: foreign,
  email: one("email"),
  emailDomain: one("domain"),
  emailList: foreign,
  everyone: object({}),
  externalEvaluation: foreign,
  geo: one("countryCode"),
  githubOrganization: foreign,
  group: foreign,
  gsuite: foreign,
  ip: one("ip"),
  ipList: foreign,
  linkedAppToken: foreign,
  loginMethod: foreign,
  oidc: foreign,
  okta: foreign,
  saml: foreign,
  serviceToken: one("tokenId"),
  userRiskScore: foreign,
} satisfies Record<keyof types.input.ZeroTrustAccessPolicyInclude, Attribute>;
const selectors = (wire: string): Attribute => set(object(selector), { wire, loose: true });

/** `cloudflare.ZeroTrustAccessPolicy`: who may pass, for as many applications as name it. */
export const accessPolicy = restResource({
  inputs: {
    accountId: text({ required: true, replaces: true }),
    approvalGroups: foreign,
    approvalRequired: truth({ loose: true }),
    connectionRules: foreign,
    decision: text({ required: true, oneOf: ["allow", "deny", "non_identity", "bypass"] }),
    excludes: selectors("exclude"),
    includes: selectors("include"),
    isolationRequired: truth({ loose: true }),
    mfaConfig: foreign,
    name: text({ required: true }),
    purposeJustificationPrompt: text(),
    purposeJustificationRequired: truth({ loose: true }),
    requires: selectors("require"),
    sessionDuration: text({ initial: "24h" }),
  } satisfies Record<keyof ZeroTrustAccessPolicyArgs, Attribute>,
  outputs: {},
  inPath: ["accountId"],
  path: ({ accountId }) => `accounts/${String(accountId)}/access/policies`,
  importForm: "<account_id>/<policy_id>",
  imported: scopedImport("accountId"),
  create: "POST",
  update: "PUT",
  delete: "DELETE",
});

const policy = {
  connectionRules: foreign,
  decision: foreign,
  excludes: foreign,
  id: text(),
  includes: foreign,
  mfaConfig: foreign,
  name: foreign,
  precedence: number({ computed: true, between: [1, Number.MAX_SAFE_INTEGER] }),
  requires: foreign,
} satisfies Record<keyof types.input.ZeroTrustAccessApplicationPolicy, Attribute>;

const destination = {
  cidr: foreign,
  hostname: foreign,
  l4Protocol: foreign,
  mcpServerId: foreign,
  portRange: foreign,
  type: text({ initial: "public" }),
  uri: text(),
  vnetId: foreign,
  workerId: foreign,
} satisfies Record<keyof types.input.ZeroTrustAccessApplicationDestination, Attribute>;

const duration =
  /^(?:0|[-+]?(\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h)(?:(\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))*)$/;
const off = truth({ loose: true });

/** `cloudflare.ZeroTrustAccessApplication`: a login in front of a host or path. */
export const accessApplication = restResource({
  inputs: {
    accountId: text({ replaces: true }),
    allowAuthenticateViaWarp: foreign,
    allowIframe: off,
    allowedIdps: set(text(), { loose: true }),
    appLauncherLogoUrl: foreign,
    appLauncherVisible: truth({ computed: true, initial: true }),
    autoRedirectToIdentity: off,
    bgColor: foreign,
    corsHeaders: foreign,
    customDenyMessage: text(),
    customDenyUrl: text(),
    customNonIdentityDenyUrl: text(),
    customPages: foreign,
    destinations: list(object(destination), { computed: true }),
    domain: text({ computed: true }),
    enableBindingCookie: off,
    footerLinks: foreign,
    headerBgColor: foreign,
    httpOnlyCookieAttribute: truth({ initial: true }),
    landingPageDesign: foreign,
    logoUrl: text(),
    mfaConfig: foreign,
    name: text({ computed: true, stable: true }),
    oauthConfiguration: foreign,
    optionsPreflightBypass: off,
    pathCookieAttribute: off,
    policies: list(object(policy), { loose: true }),
    readServiceTokensFromHeader: foreign,
    saasApp: foreign,
    sameSiteCookieAttribute: text(),
    scimConfig: foreign,
    selfHostedDomains: set(text(), { computed: true, derived: true }),
    serviceAuth401Redirect: truth({ loose: true, wire: "service_auth_401_redirect" }),
    sessionDuration: text({ initial: "24h", pattern: duration }),
    skipAppLauncherLoginPage: foreign,
    skipInterstitial: off,
    tags: set(text(), { loose: true }),
    targetCriterias: foreign,
    type: text({ computed: true, oneOf: ["self_hosted"] }),
    zoneId: text({ replaces: true }),
  } satisfies Record<keyof ZeroTrustAccessApplicationArgs, Attribute>,
  outputs: { aud: told({ stable: true }) },
  inPath: ["accountId", "zoneId"],
  path: (properties) => `${scopePath(properties)}/access/apps`,
  importForm: "<{accounts|zones}/{account_id|zone_id}>/<app_id>",
  imported: eitherImport,
  create: "POST",
  update: "PUT",
  delete: "DELETE",
  check: (news) => [
    ...eitherScope(news),
    ...(news["destinations"] !== undefined && news["selfHostedDomains"] !== undefined
      ? [{ property: "destinations", reason: "cannot be specified together with selfHostedDomains" }]
      : []),
  ],
  amend: numbered,
  // A list that is not sent would stay as it is.
  send: (body) => ({ ...body, policies: body["policies"] ?? [] }),
});

/** A policy without precedence comes right after the one before it. */
function numbered(planned: Properties): Properties {
  if (!Array.isArray(planned["policies"])) return planned;
  let last = 0;
  const policies = (planned["policies"] as Properties[]).map((each) => {
    const precedence = each["precedence"] ?? last + 1;
    last = Number(precedence);
    return { ...each, precedence };
  });
  return { ...planned, policies };
}

/** `cloudflare.ZeroTrustAccessServiceToken`: its secret is told once, when it is made. */
export const accessServiceToken = restResource({
  inputs: {
    accountId: text({ replaces: true }),
    clientSecretVersion: number({ initial: 1, kept: true }),
    duration: text({ initial: "8760h" }),
    enabled: foreign,
    name: text({ required: true }),
    previousClientSecretExpiresAt: foreign,
    zoneId: text({ replaces: true }),
  } satisfies Record<keyof ZeroTrustAccessServiceTokenArgs, Attribute>,
  outputs: {
    clientId: told({ stable: true }),
    clientSecret: told({ stable: true, kept: true }),
    expiresAt: told(),
  },
  inPath: ["accountId", "zoneId"],
  path: (properties) => `${scopePath(properties)}/access/service_tokens`,
  importForm: "<{accounts|zones}/{account_id|zone_id}>/<service_token_id>",
  imported: eitherImport,
  create: "POST",
  update: "PUT",
  delete: "DELETE",
  secretOutputs: ["clientSecret"],
  check: eitherScope,
});
