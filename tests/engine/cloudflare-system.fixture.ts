import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { labAccount, type Stored } from "../../lab/cloudflare/store.ts";
import { stackFile } from "../support/cloudflare-stack.ts";
import { TestCloudflare } from "../support/cloudflare.ts";
import { PulumiProject } from "../support/pulumi.ts";
import type { Mapping } from "../support/systems.ts";

const root = join(import.meta.dirname, "../..");

/** The part of index.ts that is at Cloudflare; services and edge hosts are thought to be there. */
const program = `
const { configOf } = await import(${JSON.stringify(join(root, "tests/support/systems.ts"))});
const from = (file) => import(${JSON.stringify(join(root, "components/cloudflare/"))} + file);
const { FurtherRecords } = await from("further-records.ts");
const { LoadBalancing } = await from("load-balancing.ts");
const { Purge } = await from("purge.ts");
const { ZoneRecords } = await from("zone-records.ts");
const { ZoneRules } = await from("zone-rules.ts");

const config = await configOf("fitness-crm", "production", settings);
const hosts = config.hosts.filter(({ labels, state }) => labels.edge === "true" && state === "active");
for (const host of hosts) new ZoneRecords("dns-" + host.name, { config, host });
new FurtherRecords("records", { config });
const zone = new ZoneRules("zone", { config });
new LoadBalancing("balancer", { config, hosts });
new Purge("purge", { config }, { dependsOn: zone.ready });
`;

/** What fitness-crm has at Cloudflare, by berth's components and stack file, on the real engine against the lab's API. */
export class CloudflareSystem {
  readonly account = `/accounts/${labAccount.id}`;
  readonly lab: TestCloudflare;
  readonly project: PulumiProject;

  private constructor(lab: TestCloudflare, project: PulumiProject) {
    this.lab = lab;
    this.project = project;
  }

  /** Not up yet; its first `say` is to come. */
  static async start(): Promise<CloudflareSystem> {
    const lab = await TestCloudflare.start();
    await lab.restart("pro");
    const env = { CLOUDFLARE_BASE_URL: lab.baseUrl, CLOUDFLARE_API_TOKEN: lab.token };
    const dependencies = ["@pulumi/cloudflare", "@pulumi/command"];
    const project = await PulumiProject.create({ program, dependencies, env });
    await symlink(join(root, "components"), join(project.directory, "components"));
    return new CloudflareSystem(lab, project);
  }

  zoneOf(path: string): string {
    return `/zones/${this.lab.zone.id}${path}`;
  }

  /** What the stack file has from now on: changes to its Cloudflare part, and to the rest. */
  async say(changes?: Mapping, top?: Mapping): Promise<void> {
    const { lab, project } = this;
    await project.settings(stackFile(lab.zone.id, changes, { "cloudflare:apiToken": lab.token, ...top }));
  }

  async get(path: string): Promise<unknown> {
    return (await this.lab.call("GET", path)).result;
  }

  async list(path: string): Promise<Stored[]> {
    return (await this.get(path)) as Stored[];
  }

  /** Everything that is there, without what is new at each reading of it. */
  async everything() {
    const { account } = this;
    return {
      records: (await this.lab.list()).map(({ type, name, content, proxied, ttl }) => [
        type,
        name,
        content,
        proxied,
        ttl,
      ]),
      rulesets: (await this.list(this.zoneOf("/rulesets"))).map(({ id, name }) => [id, name]),
      apps: (await this.list(this.zoneOf("/access/apps"))).map(({ id }) => id),
      policies: (await this.list(`${account}/access/policies`)).map(({ id }) => id),
      pools: (await this.list(`${account}/load_balancers/pools`)).map(({ id }) => id),
      monitors: (await this.list(`${account}/load_balancers/monitors`)).map(({ id }) => id),
      balancers: (await this.list(this.zoneOf("/load_balancers"))).map(({ id }) => id),
    };
  }
}
