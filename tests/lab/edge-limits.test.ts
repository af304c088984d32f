import assert from "node:assert/strict";
import { sites } from "../support/edge-sites.ts";
import { startLoad } from "../support/load.ts";
import { until } from "../support/until.ts";
import { TestEdge } from "./edge-host.ts";

const host = "shop.test";
const megabyte = 1024 ** 2;

describe("the limits of nginx", function () {
  this.timeout(120_000);
  let edge: TestEdge;

  before(async () => {
    edge = await TestEdge.start();
    await edge.task("shop-api");
    edge.resources = { memory: "256 MB", cpus: 1.5, pids: 128 };
    await edge.must(edge.runtime());
    const routes = [{ path: "/", service: "api" }];
    await edge.must(edge.site(sites("shop", { api: 8000 }, [{ host, routes }]), "10 seconds"));
  });
  after(() => edge.stop());

  const current = async () => `-${(await edge.file("current")).trim()}`;
  /** What Docker says of a container. */
  async function limits(suffix: string) {
    const { Memory, MemorySwap, NanoCpus, PidsLimit } = (await edge.container(suffix).inspect()).HostConfig;
    return { memory: Memory, swap: MemorySwap, cores: (NanoCpus ?? 0) / 1e9, pids: PidsLimit };
  }
  /** Those of some files that are there: each version of control groups has its own. */
  async function kernelSays(...files: string[]): Promise<string> {
    const read = `cd /sys/fs/cgroup; for file in ${files.join(" ")}; do [ ! -e $file ] || cat $file; done`;
    return edge.execute(await current(), ["sh", "-c", read]);
  }
  async function kernel() {
    const said = await kernelSays("memory.max", "memory/memory.limit_in_bytes", "pids.max", "pids/pids.max");
    return said.trim().split("\n").map(Number);
  }
  const differences = async () => (await edge.edge(["differs", ...edge.limitArguments()])).output;

  it("hold for each generation, and for what holds its ports", async () => {
    const memory = 256 * megabyte;
    assert.deepEqual(await limits(await current()), { memory, swap: memory, cores: 1.5, pids: 128 });
    assert.deepEqual(await kernel(), [memory, 128]);
    const holder = 32 * megabyte;
    assert.deepEqual(await limits(""), { memory: holder, swap: holder, cores: 1, pids: 64 });
    assert.equal(await differences(), "");
  });

  it("change while nginx runs: no new generation, no request lost", async () => {
    const before = await edge.generations();
    const load = await startLoad({
      connect: `127.0.0.1:${edge.httpsPort}`,
      seconds: 60,
      url: `https://${host}/version`,
      rate: 100,
      keepAlive: false,
    });
    const answered = () => load.progress()?.requests ?? 0;
    const more = async (than: number) =>
      until("there was load", 30_000, () => Promise.resolve(answered() > than + 50 ? true : undefined));
    try {
      for (const resources of [
        { memory: "384 MB", cpus: 1, pids: 256 },
        { memory: "192 MB", cpus: 2, pids: 96 },
      ] as const) {
        await more(answered());
        edge.resources = resources;
        assert.match(await differences(), /^differs: nginx \(generation 1\) has \d+ MB of memory/);
        await edge.must(edge.runtime());
        await more(answered());
      }
    } finally {
      assert.deepEqual((await load.stop()).reasons, {});
    }
    assert.deepEqual(await edge.generations(), before);
    assert.deepEqual(await kernel(), [192 * megabyte, 96]);
    assert.equal(await differences(), "");
  });

  it("are those of the host where it has fewer cores", async () => {
    edge.resources = { ...edge.resources, cpus: 4096 };
    await edge.must(edge.runtime());
    const { NCPU } = (await edge.docker.info()) as { NCPU: number };
    assert.equal((await limits(await current())).cores, NCPU);
    assert.equal(await differences(), "");
  });

  it("are refused where nginx could not start with them, and what runs keeps its own", async () => {
    const before = await limits(await current());
    edge.resources = { ...edge.resources, memory: "16 MB" };
    const { code, output } = await edge.runtime();
    assert.equal(code, 1);
    assert.match(
      output,
      /^edge: berth:edge\.resources\.memory is too little, got 16 MB: nginx has a worker for each of \d+ cores; write \d+ MB or more$/m,
    );
    assert.deepEqual(await limits(await current()), before);
    edge.resources = { ...edge.resources, memory: "192 MB" };
  });

  it("are refused below what nginx holds already", async () => {
    // What keeps it all until it is taken, which nobody does.
    const hold = "{ head -c 120M /dev/zero | tail -c 120M | sleep 60; } >/dev/null 2>&1 &";
    await edge.execute(await current(), ["sh", "-c", hold]);
    await until("that much is held", 20_000, async () => {
      const said = await kernelSays("memory.stat", "memory/memory.stat");
      const [, held = "0"] = /^(?:anon|total_rss) (\d+)$/m.exec(said) ?? [];
      return Number(held) > 110 * megabyte ? true : undefined;
    });
    edge.resources = { ...edge.resources, memory: "64 MB" };
    const { code, output } = await edge.runtime();
    assert.equal(code, 1, output);
    assert.match(output, /got 64 MB: nginx \(generation 1\) holds \d+ MB; write \d+ MB or more$/m);
  });
});
