import assert from "node:assert/strict";
import { labAccount } from "../../lab/cloudflare/store.ts";
import { Client } from "../../lab/plugins/cloudflare/client.ts";
import { plugin } from "../../lab/plugins/cloudflare/plugin.ts";
import type { Context, Properties, ResourceType } from "../../lab/plugins/framework/types.ts";
import { permissionFor } from "../../components/cloudflare/permissions.ts";
import { permissions } from "../../lab/cloudflare/tokens.ts";
import { stackFile } from "../support/cloudflare-stack.ts";
import { TestCloudflare } from "../support/cloudflare.ts";
import { record, type Recorded } from "../support/mocks.ts";
import { configOf } from "../support/systems.ts";

/*
 * Every resource that berth's components declare at Cloudflare, made by the stand-in plugin and taken by the lab's API,
 * without an engine: what it stores is what was asked for, and a read finds no difference.
 */

interface Made {
  readonly resource: Recorded;
  readonly inputs: Properties;
  readonly id: string;
  readonly outputs: Properties;
}

const typeOf = ({ type }: Recorded): Required<ResourceType<Client>> => {
  const found = plugin.resources[type];
  assert.ok(found, `the stand-in has no ${type}`);
  return found as Required<ResourceType<Client>>;
};

describe("what berth declares at Cloudflare", function () {
  this.timeout(20_000);
  let lab: TestCloudflare;
  let context: Context<Client>;
  let declared: readonly Recorded[];
  const made: Made[] = [];

  before(async () => {
    lab = await TestCloudflare.start();
    await lab.restart("pro");
    const client = new Client(lab.baseUrl, lab.token, () => Promise.resolve());
    context = { client, signal: new AbortController().signal } as unknown as Context<Client>;
    const config = await configOf("fitness-crm", "production", stackFile(lab.zone.id));
    const { resources } = await record(async () => {
      const { FurtherRecords } = await import("../../components/cloudflare/further-records.ts");
      const { LoadBalancing } = await import("../../components/cloudflare/load-balancing.ts");
      const { ZoneRecords } = await import("../../components/cloudflare/zone-records.ts");
      const { ZoneRules } = await import("../../components/cloudflare/zone-rules.ts");
      for (const host of config.hosts) new ZoneRecords(`dns-${host.name}`, { config, host });
      new FurtherRecords("records", { config });
      new ZoneRules("zone", { config });
      new LoadBalancing("balancer", { config, hosts: config.hosts });
    });
    declared = inOrder(resources.filter(({ type }) => type.startsWith("cloudflare:")));
  });
  after(() => lab.stop());

  it("is taken by the API as the plugin sends it", async () => {
    const ids = new Map<string, string>();
    for (const resource of declared) {
      const inputs = withIds(resource.inputs, ids) as Properties;
      const type = typeOf(resource);
      assert.deepEqual(type.check(inputs, {} as never).failures, [], resource.name);
      const { id, outputs } = await type.create(inputs, context);
      ids.set(`${resource.name}-id`, id);
      made.push({ resource, inputs, id, outputs });
    }
    assert.ok(made.length > 25, String(made.length));
    assert.equal((await lab.list()).length, 7);
  });

  it("is found again as it was asked for", async () => {
    for (const { resource, inputs, id, outputs } of made) {
      const type = typeOf(resource);
      const differences = (olds: Properties) => type.diff({ id, olds, news: inputs, oldInputs: inputs }).changes;
      assert.deepEqual(differences(outputs), [], resource.name);
      const read = await type.read(id, outputs, inputs, context);
      assert.deepEqual([read?.inputs, differences(read?.outputs ?? {})], [inputs, []], resource.name);
    }
  });

  it("needs the permissions that berth names, and no other", async () => {
    const named = new Set(made.map(({ resource, inputs }) => permissionFor(resource.type, inputs)?.name));
    assert.ok(!named.has(undefined));
    const needed = permissions.filter((each) => named.has(each));
    assert.equal(needed.length, named.size, `${[...named].join(", ")} are not all known to the lab`);
    for (const { resource, inputs, id } of made) {
      const { name = "" } = permissionFor(resource.type, inputs) ?? {};
      // As if nothing were known, so that everything is sent.
      const update = { id, olds: {}, oldInputs: {}, news: inputs };
      await lab.tokens(`${lab.token} ${name}`);
      await typeOf(resource).update(update, context);
      await lab.tokens(`${lab.token} ${permissions.filter((each) => each !== name).join(", ")}`);
      await assert.rejects(typeOf(resource).update(update, context), /403/, resource.name);
    }
    await lab.tokens(lab.token);
  });

  it("goes without a trace, but for settings and the zone itself", async () => {
    for (const { resource, id, outputs } of made.toReversed()) await typeOf(resource).delete(id, outputs, context);
    assert.deepEqual(await lab.list(), []);
    const left = async (path: string) => (await lab.call("GET", path)).result as { kind?: string }[];
    const zone = `/zones/${lab.zone.id}`;
    const account = `/accounts/${labAccount.id}`;
    assert.deepEqual(
      (await left(`${zone}/rulesets`)).filter(({ kind }) => kind === "zone"),
      [],
    );
    for (const path of [`${zone}/access/apps`, `${zone}/load_balancers`, `${account}/load_balancers/pools`])
      assert.deepEqual(await left(path), [], path);
    assert.equal((await lab.call("GET", zone)).status, 200);
  });
});

/** Those first that others name by their ids. */
function inOrder(resources: readonly Recorded[]): Recorded[] {
  const names = (one: Recorded, other: Recorded) => JSON.stringify(one.inputs).includes(`"${other.name}-id"`);
  const sorted: Recorded[] = [];
  const add = (one: Recorded) => {
    if (sorted.includes(one)) return;
    resources.filter((other) => names(one, other)).forEach(add);
    sorted.push(one);
  };
  resources.forEach(add);
  return sorted;
}

/** The ids that the mocks made up, replaced by real ones. */
function withIds(value: unknown, ids: ReadonlyMap<string, string>): unknown {
  if (typeof value === "string") return ids.get(value) ?? value;
  if (Array.isArray(value)) return value.map((each) => withIds(each, ids));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withIds(each, ids)]));
}
