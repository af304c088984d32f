import type { NetworkArgs, types } from "@pulumi/docker";
import type { Properties } from "../framework/types.ts";
import { blockSet, flag, text, textMap } from "./fields.ts";
import type { FieldsOf } from "./fields.ts";
import { labelsFromMap, labelsToMap, replacingLabelFields } from "./labels.ts";
import { orGone, resource } from "./resource.ts";
import { poll, providerRhythm } from "./wait.ts";

const ipamConfig = {
  subnet: text({ replaces: true }),
  ipRange: text({ replaces: true }),
  gateway: text({ replaces: true }),
  auxAddress: textMap({ replaces: true }),
} satisfies FieldsOf<types.input.NetworkIpamConfig>;

const fields = {
  name: text({ replaces: true }),
  labels: blockSet(replacingLabelFields satisfies FieldsOf<types.input.NetworkLabel>, { replaces: true }),
  driver: text({ computed: true, replaces: true }),
  options: textMap({ computed: true, replaces: true }),
  internal: flag({ computed: true, replaces: true }),
  attachable: flag({ replaces: true }),
  ingress: flag({ replaces: true }),
  ipv6: flag({ replaces: true }),
  ipamDriver: text({ default: "default", replaces: true }),
  ipamOptions: textMap({ replaces: true }),
  ipamConfigs: blockSet(ipamConfig, { computed: true, replaces: true }),
} satisfies FieldsOf<NetworkArgs>;

interface NetworkInfo {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly Ingress: boolean;
  readonly EnableIPv6: boolean;
  readonly Labels: Record<string, string> | null;
  readonly Options: Record<string, string> | null;
  readonly IPAM: {
    readonly Driver: string;
    readonly Options: Record<string, string> | null;
    readonly Config: readonly IpamInfo[] | null;
  };
}

interface IpamInfo {
  readonly Subnet?: string;
  readonly IPRange?: string;
  readonly Gateway?: string;
  readonly AuxiliaryAddresses?: Record<string, string>;
}

/** `docker:index/network:Network`. */
export const network = resource({
  fields,
  outputs: ["scope"],
  async create(plan, { client, signal }) {
    const body = creation(plan);
    const { Id } = await client.api.post<{ Id: string }>("/networks/create", body, signal).catch((error: unknown) => {
      throw new Error(`Unable to create network: ${error instanceof Error ? error.message : String(error)}`);
    });
    return Id;
  },
  read: (id, _state, context) => {
    const { client, signal } = context;
    return poll(providerRhythm, signal, { pending: "pending", target: "all_fields" }, async () => {
      const info = await orGone(client.api.get<NetworkInfo>(`/networks/${id}`, signal), context);
      return { found: info && networkState(info) };
    }).then(({ found }) => found);
  },
  delete: async (id, _state, context) => {
    const { client, signal } = context;
    // Tasks leave their networks some time after their service is gone.
    await poll(providerRhythm, signal, { pending: "pending", target: "removed" }, async () => {
      const info = await orGone(client.api.get<NetworkInfo>(`/networks/${id}`, signal), context);
      if (info === undefined) return "gone";
      try {
        await client.api.delete(`/networks/${id}`, signal);
        return "removed";
      } catch (error) {
        if (error instanceof Error && error.message.includes("has active endpoints")) return undefined;
        throw error;
      }
    });
  },
});

function creation(plan: Properties): Properties {
  const configs = plan["ipamConfigs"] as Properties[] | undefined;
  return {
    Name: plan["name"],
    // The daemon refuses a second network of the same name only when it is asked to.
    CheckDuplicate: true,
    Labels: labelsToMap(plan["labels"]),
    Driver: plan["driver"],
    Options: plan["options"],
    Internal: plan["internal"],
    Attachable: plan["attachable"],
    Ingress: plan["ingress"],
    EnableIPv6: plan["ipv6"],
    IPAM: {
      Driver: plan["ipamDriver"],
      Options: plan["ipamOptions"],
      Config: configs?.map(({ subnet, ipRange, gateway, auxAddress }) => ({
        Subnet: subnet,
        IPRange: ipRange,
        Gateway: gateway,
        AuxiliaryAddresses: auxAddress,
      })),
    },
  };
}

function networkState(info: NetworkInfo): Properties {
  return {
    id: info.Id,
    name: info.Name,
    labels: labelsFromMap(info.Labels),
    driver: info.Driver,
    scope: info.Scope,
    internal: info.Internal,
    attachable: info.Attachable,
    ingress: info.Ingress,
    ipv6: info.EnableIPv6,
    options: info.Options ?? {},
    ipamDriver: info.IPAM.Driver,
    ipamOptions: info.IPAM.Options ?? {},
    ipamConfigs: (info.IPAM.Config ?? []).map(({ Subnet, IPRange, Gateway, AuxiliaryAddresses }) => ({
      subnet: Subnet ?? "",
      ipRange: IPRange ?? "",
      gateway: Gateway ?? "",
      auxAddress: AuxiliaryAddresses ?? {},
    })),
  };
}
