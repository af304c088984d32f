import { startLoad } from "../load.ts";
import { edgeOf, note, type Bench, type Target } from "./context.ts";
import { container, place, pushImages, withPorts } from "./ground.ts";

/*
 * What passing the edge costs: as many requests as a few connections can make, of the application itself, through
 * berth's edge and through HAProxy, with TLS: as it is, and with the headers and the log that berth's edge has. All are
 * dialled at the host's own address, and share the cores with the client, so the ratios count.
 */

const seconds = 10;
const concurrency = 16;
const bare = "HAProxy";

export async function throughput(bench: Bench): Promise<void> {
  const { lab } = bench;
  const images = await pushImages(lab);
  await withPorts(lab, async (on) => {
    const direct = await place(lab, on, 4);
    await container(on, "bench-direct", `${direct.port}:8000`, images.application);
    const haproxy = await place(lab, on, 5, "haproxy-tls.cfg");
    const certificate = `${haproxy.directory}/site.pem`;
    await on(`openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=${lab.lab.domain} \
      -keyout ${certificate} -out ${certificate}.crt 2>/dev/null; cat ${certificate}.crt >>${certificate}`);
    const files = `--volume ${haproxy.file}:/etc/haproxy/haproxy.cfg:ro --volume ${certificate}:/etc/haproxy/site.pem:ro`;
    const run = `${files} ${images.peers} haproxy -W -db -f /etc/haproxy/haproxy.cfg`;
    const equal = await place(lab, on, 6);
    await container(on, "bench-haproxy", `${haproxy.port}:80 --publish ${equal.port}:81`, run);
    const secure = ({ target }: { target: Target }) => ({ ...target, origin: `https://${lab.lab.domain}` });
    for (let pass = 0; pass < bench.runs; pass++) {
      await ask(bench, "the application itself", direct.target);
      await ask(bench, bare, secure(haproxy));
      await ask(bench, "HAProxy, with berth's headers and log", secure(equal), bare);
      await ask(bench, "berth", edgeOf(lab), bare);
    }
  });
}

async function ask(bench: Bench, scenario: string, { origin, connect }: Target, baseline?: string): Promise<void> {
  const load = await startLoad({
    url: `${origin}/api/version`,
    connect,
    concurrency,
    connections: concurrency,
    seconds,
  });
  const { rate, latency, failed, reasons } = await load.done;
  if (failed > 0) throw new Error(`${scenario}: ${failed} requests failed: ${JSON.stringify(reasons)}`);
  const compared = (quantity: string) => (baseline === undefined ? {} : { baseline: `${baseline}: ${quantity}` });
  note(bench, scenario, "requests per second", { unit: "", ...compared("requests per second") }, rate);
  note(bench, scenario, "99 % answered within", { unit: "ms", ...compared("99 % answered within") }, latency.p99);
}
