import type { ServiceConfigArgs, types } from "@pulumi/docker";
import type { CheckFailure, Properties } from "../framework/types.ts";
import { base64 } from "./check.ts";
import { blockSet, text } from "./fields.ts";
import type { FieldsOf } from "./fields.ts";
import { labelsFromMap, labelsToMap, replacingLabelFields } from "./labels.ts";
import { orGone, resource } from "./resource.ts";

const fields = {
  name: text({ replaces: true }),
  data: text({ replaces: true, check: base64 }),
  dataRaw: text({ replaces: true }),
  labels: blockSet(replacingLabelFields satisfies FieldsOf<types.input.ServiceConfigLabel>),
} satisfies FieldsOf<ServiceConfigArgs>;

interface ConfigInfo {
  readonly ID: string;
  readonly Spec: { readonly Name: string; readonly Data: string; readonly Labels: Record<string, string> | null };
}

/** `docker:index/serviceConfig:ServiceConfig`. Nothing of it can be changed. */
export const serviceConfig = resource({
  fields,
  outputs: [],
  refuse: refuseBothOrNeither,
  async create(plan, { client, signal }) {
    const raw = plan["dataRaw"];
    const data = typeof raw === "string" && raw !== "" ? Buffer.from(raw).toString("base64") : plan["data"];
    const body = { Name: plan["name"], Labels: labelsToMap(plan["labels"]), Data: data };
    const { ID } = await client.api.post<{ ID: string }>("/configs/create", body, signal);
    return ID;
  },
  async read(id, state, context) {
    const { client, signal } = context;
    const info = await orGone(client.api.get<ConfigInfo>(`/configs/${id}`, signal), context);
    if (info === undefined) return undefined;
    const { Name, Data, Labels } = info.Spec;
    const isRaw = state["dataRaw"] !== undefined && state["dataRaw"] !== "";
    const content = isRaw ? { dataRaw: Buffer.from(Data, "base64").toString() } : { data: Data };
    return { id: info.ID, name: Name, labels: labelsFromMap(Labels), ...content };
  },
  async delete(id, _state, { client, signal }) {
    await client.api.delete(`/configs/${id}`, signal);
  },
});

function refuseBothOrNeither({ data, dataRaw }: Properties): CheckFailure[] {
  if ((data === undefined) !== (dataRaw === undefined)) return [];
  return [{ property: "data", reason: "exactly one of data and dataRaw must be given" }];
}
