import type { Call, Route } from "../route.ts";
import { initialValue, readSetting, settingIds } from "../settings.ts";
import { reading } from "../tokens.ts";

const read = reading("Zone Settings");

export const zoneSettingRoutes: readonly Route[] = [
  {
    path: "settings",
    methods: { GET: { permissions: read, answer: (call) => ({ result: settingIds.map((id) => setting(call, id)) }) } },
  },
  {
    path: "settings/:id",
    methods: {
      GET: { permissions: read, answer: (call) => ({ result: setting(call, call.params["id"] ?? "") }) },
      PATCH: {
        permissions: ["Zone Settings Write"],
        answer: (call) => {
          const id = call.params["id"] ?? "";
          call.store.set(call.scope, id, readSetting(id, call.request.body()));
          return { result: setting(call, id) };
        },
      },
    },
  },
];

function setting({ store, scope }: Call, id: string): unknown {
  const { value, modified_on } = store.setting(scope, id) ?? { value: initialValue(id), modified_on: null };
  return { id, value, editable: true, modified_on };
}
