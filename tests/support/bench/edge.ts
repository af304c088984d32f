import { note, noteLoss, startLoads, type Bench } from "./context.ts";
import { withProxies, type Proxy } from "./proxies.ts";

/** A steady load through another configuration and another image of the edge, and of other proxies. */
export async function edge(bench: Bench): Promise<void> {
  await withProxies(bench.lab, async (proxies) => {
    for (let run = 0; run < bench.runs; run++) {
      for (const proxy of proxies.filter(isOurs)) await through(bench, proxy, "no change");
      for (const change of ["upgrade", "reload"] as const)
        for (const proxy of proxies) await through(bench, proxy, change);
    }
  });
}

const isOurs = ({ name }: Proxy): boolean => name === "berth";
const dark = "longest time without an answer";

async function through(bench: Bench, proxy: Proxy, change: "upgrade" | "reload" | "no change"): Promise<void> {
  const scenario = `${change}: ${proxy.name}`;
  const loads = await startLoads(bench, proxy.target);
  await loads.settled();
  if (change !== "no change") await proxy[change]();
  await loads.settled();
  const load = await loads.stop();
  const own = isOurs(proxy);
  noteLoss(bench, scenario, load, own ? { goal: 0 } : {});
  const compared = own && change !== "no change" ? { baseline: `${change}: docker service update: ${dark}` } : {};
  note(bench, scenario, dark, { unit: "ms", ...compared }, Math.max(...load.map(({ darkMs }) => darkMs)));
  note(bench, scenario, "half answered within", { unit: "ms" }, Math.max(...load.map(({ latency }) => latency.p50)));
}
