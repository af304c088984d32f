import type { AuthenticatedOriginPullsArgs, types } from "@pulumi/cloudflare";
import type { Context, Properties, ResourceType } from "../../framework/types.ts";
import { list, object, schemaFailures, text, truth, type Attribute } from "../attributes.ts";
import { ApiFailure, type Client } from "../client.ts";
import { camelCase, given, splitImportId } from "../fields.ts";
import { diff } from "../plan.ts";

const inputs = {
  configs: list(
    object({ certId: text(), enabled: truth(), hostname: text() } satisfies Record<
      keyof types.input.AuthenticatedOriginPullsConfig,
      Attribute
    >),
    { required: true },
  ),
  zoneId: text({ required: true, replaces: true }),
} satisfies Record<keyof AuthenticatedOriginPullsArgs, Attribute>;

const stable = ["hostname"];
const computed = [
  ...stable,
  ...["certId", "certStatus", "certUpdatedAt", "certUploadedOn", "certificate", "createdAt", "enabled", "expiresOn"],
  ...["issuer", "serialNumber", "signature", "status", "updatedAt"],
];

/** `cloudflare.AuthenticatedOriginPulls`: one host's certificate for origins; what a read finds of it is no change. */
export const originPulls: ResourceType<Client> = {
  computed,
  volatile: computed.filter((key) => !stable.includes(key)),
  secretOutputs: ["privateKey"],
  check: (news) => ({ inputs: news, failures: schemaFailures(inputs, news) }),
  diff: ({ olds, news }) => diff(inputs, olds, news),
  async create(news, context) {
    const outputs = await put(news, context);
    return { id: String(outputs["hostname"]), outputs };
  },
  async read(id, olds, _oldInputs, { client, ...caller }) {
    const imported = olds["zoneId"] === undefined;
    const [zoneId, host] = imported ? splitImportId(id, "<zone_id>/<hostname>") : [String(olds["zoneId"]), id];
    try {
      const path = `${place(zoneId)}/${host}`;
      const result = await client.call({ method: "GET", path }, caller);
      const config = given({ configs: olds["configs"], zoneId });
      return { id: host, outputs: { ...told(result), ...config }, inputs: config };
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 404) return undefined;
      throw error;
    }
  },
  update: ({ news }, context) => put(news, context),
  async delete(_id, olds, { client, ...caller }) {
    const config = [{ hostname: olds["hostname"], cert_id: olds["certId"], enabled: null }];
    const call = { method: "PUT", path: place(String(olds["zoneId"])), body: { config } } as const;
    await client.call({ ...call }, caller);
  },
};

async function put(news: Properties, { client, ...caller }: Context<Client>): Promise<Properties> {
  const configs = news["configs"] as Properties[];
  const [wanted, ...others] = configs;
  if (!wanted || others.length > 0)
    throw new Error(
      "invalid config: config must contain exactly one hostname association. " +
        "Create separate resources to manage multiple hostnames.",
    );
  const host = wanted["hostname"] as string | undefined;
  if (host === undefined || host === "") throw new Error("missing hostname: config[0].hostname must not be empty");
  const config = [given({ hostname: host, cert_id: wanted["certId"], enabled: wanted["enabled"] })];
  const call = { method: "PUT", path: place(String(news["zoneId"])), body: { config } } as const;
  const result = await client.call({ ...call }, caller);
  // The answer is the list of all hosts of the zone.
  const own = (result as unknown as Properties[]).find((each) => each["hostname"] === host);
  if (!own) throw new Error(`hostname not found in response: hostname "${host}" not found in API response`);
  return { ...told(own), ...news };
}

function place(zoneId: string): string {
  return `zones/${zoneId}/origin_tls_client_auth/hostnames`;
}

function told(result: Properties): Properties {
  const all = Object.entries(given(result)).map(([key, value]) => [camelCase(key), value] as const);
  return Object.fromEntries(all.filter(([key]) => computed.includes(key)));
}
