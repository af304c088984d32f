import type { VolumeArgs, types } from "@pulumi/docker";
import { block, blockSet, text, textMap } from "./fields.ts";
import type { FieldsOf } from "./fields.ts";
import { DaemonError } from "./docker-api.ts";
import { labelsFromMap, labelsToMap, replacingLabelFields } from "./labels.ts";
import { resource } from "./resource.ts";
import { poll, providerRhythm } from "./wait.ts";

const fields = {
  name: text({ computed: true, replaces: true }),
  labels: blockSet(replacingLabelFields satisfies FieldsOf<types.input.VolumeLabel>, { replaces: true }),
  driver: text({ computed: true, replaces: true }),
  driverOpts: textMap({ replaces: true }),
  cluster: block({}),
} satisfies FieldsOf<VolumeArgs>;

interface VolumeInfo {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Labels: Record<string, string> | null;
  readonly Options: Record<string, string> | null;
}

/** `docker:index/volume:Volume`. Every change replaces it, and with it the data. */
export const volume = resource({
  fields,
  outputs: ["mountpoint"],
  refuse: ({ cluster }) =>
    cluster === undefined ? [] : [{ property: "cluster", reason: "cluster volumes are not part of the stand-in" }],
  async create(plan, { client, signal }) {
    const body = {
      Name: plan["name"],
      Labels: labelsToMap(plan["labels"]),
      Driver: plan["driver"],
      DriverOpts: plan["driverOpts"],
    };
    const { Name } = await client.api
      .post<{ Name: string }>("/volumes/create", body, signal)
      .catch((error: unknown) => {
        throw new Error(`Unable to create volume: ${error instanceof Error ? error.message : String(error)}`);
      });
    return Name;
  },
  async read(id, _state, { client, signal }) {
    try {
      const info = await client.api.get<VolumeInfo>(`/volumes/${id}`, signal);
      return {
        id: info.Name,
        name: info.Name,
        labels: labelsFromMap(info.Labels),
        driver: info.Driver,
        driverOpts: info.Options ?? {},
        mountpoint: info.Mountpoint,
      };
    } catch (error) {
      if (error instanceof DaemonError && error.status === 404) return undefined;
      throw new Error(`Unable to inspect volume: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  },
  async delete(id, _state, { client, signal }) {
    await poll(providerRhythm, signal, { pending: "in_use", target: "removed" }, async () => {
      try {
        await client.api.delete(`/volumes/${id}?force=1`, signal);
        return "removed";
      } catch (error) {
        if (error instanceof Error && error.message.includes("volume is in use")) return undefined;
        throw error;
      }
    });
  },
});
