import { note, noteLoss, startLoads, type Bench } from "./context.ts";
import { withProxies } from "./proxies.ts";

/** A steady load through another configuration and another image of the edge, and of other proxies. */
export async function edge(bench: Bench): Promise<void> {
  await withProxies(bench.lab, async (proxies) => {
    for (let run = 0; run < bench.runs; run++) {
      for (const change of ["upgrade", "reload"] as const) {
        for (const proxy of proxies) {
          const own = proxy.name === "berth";
          const scenario = `${change}: ${proxy.name}`;
          const baseline = (quantity: string) =>
            own ? { baseline: `${change}: docker service update: ${quantity}` } : {};
          const loads = await startLoads(bench, proxy.target);
          await loads.settled();
          await proxy[change]();
          await loads.settled();
          const load = await loads.stop();
          noteLoss(bench, scenario, load, own ? { goal: 0 } : {});
          const dark = Math.max(...load.map(({ darkMs }) => darkMs));
          note(
            bench,
            scenario,
            "longest time without an answer",
            { unit: "ms", ...baseline("longest time without an answer") },
            dark,
          );
        }
      }
    }
  });
}
