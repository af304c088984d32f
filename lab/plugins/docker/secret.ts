import type { SecretArgs, types } from "@pulumi/docker";
import { base64 } from "./check.ts";
import { blockSet, required, text } from "./fields.ts";
import type { FieldsOf } from "./fields.ts";
import { labelsToMap, replacingLabelFields } from "./labels.ts";
import { orGone, resource } from "./resource.ts";

const fields = {
  name: text({ replaces: true }),
  data: required(text({ replaces: true, check: base64 })),
  labels: blockSet(replacingLabelFields satisfies FieldsOf<types.input.SecretLabel>),
} satisfies FieldsOf<SecretArgs>;

/** `docker:index/secret:Secret`. Nothing of it can be changed, and the daemon never tells its data. */
export const secret = resource({
  fields,
  outputs: [],
  secretOutputs: ["data"],
  async create(plan, { client, signal }) {
    const body = { Name: plan["name"], Labels: labelsToMap(plan["labels"]), Data: plan["data"] };
    const { ID } = await client.api.post<{ ID: string }>("/secrets/create", body, signal);
    return ID;
  },
  async read(id, state, context) {
    const { client, signal } = context;
    const inspect = client.api.get<{ readonly ID: string; readonly Spec: { readonly Name: string } }>(
      `/secrets/${id}`,
      signal,
    );
    const info = await orGone(inspect, context);
    // Labels are not read back either.
    return info && { id: info.ID, name: info.Spec.Name, data: state["data"], labels: state["labels"] ?? [] };
  },
  async delete(id, _state, { client, signal }) {
    await client.api.delete(`/secrets/${id}`, signal);
  },
});
