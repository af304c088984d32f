import type { ZoneSettingArgs } from "@pulumi/cloudflare";
import { isEqual } from "../framework/diff.ts";
import { any, boolean, misfits, object, required, string } from "../framework/shape.ts";
import type { Required, Shape } from "../framework/shape.ts";
import { unknown } from "../framework/types.ts";
import type { Context, Properties, ResourceType } from "../framework/types.ts";
import { ApiFailure, type Client } from "./client.ts";
import { given, splitImportId } from "./fields.ts";

const inputs = {
  enabled: boolean,
  settingId: required(string),
  value: required(any),
  zoneId: required(string),
} satisfies Record<keyof ZoneSettingArgs, Shape | Required>;

/** `cloudflare.ZoneSetting`: takes over a setting that every zone has; deleting it changes nothing at Cloudflare. */
export const zoneSetting: ResourceType<Client> = {
  computed: ["editable", "enabled", "modifiedOn", "timeRemaining"],
  volatile: ["modifiedOn"],
  check: (news) => ({ inputs: news, failures: misfits(object(inputs), news) }),
  diff({ olds, news }) {
    const changed = (key: string) => news[key] === unknown || !isEqual(olds[key], news[key]);
    const changes = ["zoneId", "settingId", "value"].filter(changed);
    if (news["enabled"] !== undefined && changed("enabled")) changes.push("enabled");
    const replaces = changes.filter((key) => key === "zoneId" || key === "settingId");
    return { changes, replaces, deleteBeforeReplace: false };
  },
  async create(news, context) {
    const result = await patch(news, context);
    return { id: String(news["settingId"]), outputs: { ...outputs(result, news), ...news } };
  },
  async read(id, olds, oldInputs, { client, ...caller }) {
    const imported = olds["zoneId"] === undefined;
    const [zoneId, settingId] = imported ? splitImportId(id, "<zone_id>/<setting_id>") : [String(olds["zoneId"]), id];
    try {
      const path = `zones/${zoneId}/settings/${settingId}`;
      const result = await client.call({ method: "GET", path }, caller);
      const live = outputs(result, { zoneId, settingId });
      const keys = imported ? ["settingId", "value", "zoneId"] : Object.keys(oldInputs);
      const liveInputs = given(Object.fromEntries(keys.map((key) => [key, live[key]])));
      return { id: settingId, outputs: live, inputs: liveInputs };
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 404) return undefined;
      throw error;
    }
  },
  async update({ news }, context) {
    return { ...outputs(await patch(news, context), news), ...news };
  },
  delete(_id, olds, { log }) {
    const setting = String(olds["settingId"]);
    log?.("warning", `zone setting ${setting} keeps its value at Cloudflare; change it there to undo it`);
    return Promise.resolve();
  },
};

function patch(news: Properties, { client, ...caller }: Context<Client>): Promise<Properties> {
  const path = `zones/${String(news["zoneId"])}/settings/${String(news["settingId"])}`;
  const body = given({ value: news["value"], enabled: news["enabled"] });
  return client.call({ method: "PATCH", path, body }, caller);
}

function outputs(result: Properties, known: Properties): Properties {
  const { value, editable, enabled, modified_on: modifiedOn, time_remaining: timeRemaining } = result;
  const { zoneId, settingId } = known;
  return given({ zoneId, settingId, value, editable, enabled, modifiedOn, timeRemaining });
}
