import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Resolver } from "node:dns/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fault } from "../../lab/cloudflare/faults.ts";
import type { Plan } from "../../lab/cloudflare/plans.ts";
import type { DnsRecord } from "../../lab/cloudflare/record.ts";
import { startService, type Service } from "../../lab/cloudflare/server.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly result: unknown;
  readonly result_info?: unknown;
  readonly success: boolean;
  readonly errors: readonly { code: number; message: string }[];
  readonly messages: readonly unknown[];
}

/** One Cloudflare of the lab for a test: own zones, ports, tokens and files. */
export class TestCloudflare {
  readonly zone = { id: "5f0c0ffee0ddba11deadbeef00112233", name: "palmistry.test" };
  readonly other = { id: "00c0ffee0ddba11deadbeef001122334", name: "cap.palmistry.test" };
  readonly token = "test-token-with-every-permission-0123456789";
  readonly directory: string;
  /** Every request so far: `METHOD /path status`, and when it was answered. */
  readonly requests: { readonly line: string; readonly at: number }[] = [];
  #service: Service | undefined;
  #plan: Plan = "business";

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async start(): Promise<TestCloudflare> {
    const lab = new TestCloudflare(await mkdtemp(join(tmpdir(), "berth-cloudflare-")));
    await lab.tokens(lab.token);
    await lab.restart();
    return lab;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#running.httpPort}`;
  }

  get baseUrl(): string {
    return `${this.origin}/client/v4`;
  }

  get dnsPort(): number {
    return this.#running.dnsPort;
  }

  get dataFile(): string {
    return join(this.directory, "data.json");
  }

  /** Lines of the token file. */
  async tokens(...lines: string[]): Promise<void> {
    await writeFile(join(this.directory, "tokens"), lines.join("\n"));
  }

  /** What both zones pay for. */
  get plan(): Plan {
    return this.#plan;
  }

  async restart(plan = this.#plan): Promise<void> {
    this.#plan = plan;
    await this.#service?.close();
    this.#service = await startService({
      zones: [this.zone, this.other].map((zone) => ({ ...zone, plan })),
      tokenFile: join(this.directory, "tokens"),
      dataFile: this.dataFile,
      http: { host: "127.0.0.1", port: 0 },
      dns: { host: "127.0.0.1", port: 0 },
      log: (line) => this.requests.push({ line, at: Date.now() }),
    });
  }

  async stop(): Promise<void> {
    await this.#service?.close();
    await rm(this.directory, { recursive: true });
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${this.baseUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Answer;
    return { ...answer, status: response.status, headers: response.headers };
  }

  /** `dns_records` of the zone, with what follows it. */
  records(method: string, below = "", body?: unknown): Promise<Answer> {
    return this.call(method, `/zones/${this.zone.id}/dns_records${below}`, body);
  }

  async create(body: object): Promise<DnsRecord> {
    const answer = await this.records("POST", "", { ttl: 1, ...body });
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.errors));
    return answer.result as DnsRecord;
  }

  async list(): Promise<DnsRecord[]> {
    return (await this.records("GET")).result as DnsRecord[];
  }

  async order(fault: Fault): Promise<void> {
    const response = await fetch(`${this.origin}/lab/faults`, { method: "POST", body: JSON.stringify(fault) });
    if (!response.ok) throw new Error(await response.text());
  }

  /** An ordinary resolver that asks only this server. */
  resolver(): Resolver {
    const resolver = new Resolver({ tries: 1, timeout: 2_000 });
    resolver.setServers([`127.0.0.1:${this.dnsPort}`]);
    return resolver;
  }

  get #running(): Service {
    if (!this.#service) throw new Error("not started");
    return this.#service;
  }
}
