import { readFile, writeFile } from "node:fs/promises";
import { physicalName } from "../../../components/shared/naming.ts";
import { setValue } from "../../../operations/yaml-edit.ts";
import type { TestLab } from "../../lab/support/lab.ts";
import { until } from "../until.ts";
import { edgeOf, type Target } from "./context.ts";
import { container, place, pushImages, withPorts, type On } from "./ground.ts";

/*
 * berth's edge and other proxies before the same application on the same host, each changed as its own manual says.
 * The others speak HTTP without TLS, and get at the application over its network as the edge does.
 */

export interface Proxy {
  readonly name: string;
  readonly target: Target;
  /** Serves another configuration, or the same anew. */
  reload(): Promise<void>;
  /** Runs another image. */
  upgrade(): Promise<void>;
}

/** Lets `work` see all proxies; afterwards the lab is as it was. */
export async function withProxies(lab: TestLab, work: (proxies: readonly Proxy[]) => Promise<void>): Promise<void> {
  const before = await readFile(lab.stackFile, "utf8");
  const images = await pushImages(lab);
  try {
    await withPorts(lab, async (on) => {
      await on(`docker pull --quiet ${images.edges[1]}; docker pull --quiet ${images.peers}`);
      const proxies = [
        berth(lab),
        await nginxService(lab, on, images.edges),
        await haproxy(lab, on, images.peers),
        await caddy(lab, on, images.peers),
        await kamal(lab, on, images.peers),
      ];
      for (const { name, target } of proxies.slice(1)) await answers(name, target);
      await work(proxies);
    });
  } finally {
    await writeFile(lab.stackFile, before);
    await lab.mustUp();
  }
}

function berth(lab: TestLab): Proxy {
  let changes = 0;
  let next = false;
  const edit = async (path: string[], value: unknown): Promise<void> => {
    await writeFile(lab.stackFile, setValue(await readFile(lab.stackFile, "utf8"), path, value));
    await lab.mustUp();
  };
  return {
    name: "berth",
    target: edgeOf(lab),
    // A route of the other site changes: the file of all sites is another one.
    reload: async () => {
      const message = `Change ${++changes}.`;
      await edit(["config", "berth:maintenance"], [{ host: "api.${domain}", path: "/health", message }]);
    },
    upgrade: async () => {
      next = !next;
      await lab.pin({ edge: next ? "edge:next" : "edge:1.30" });
      await lab.mustUp();
    },
  };
}

/** A service with the same settings, whose port only one task at a time can have. */
async function nginxService(lab: TestLab, on: On, images: readonly [string, string]): Promise<Proxy> {
  const name = "bench-nginx";
  const { file, target, port } = await place(lab, on, 0, "nginx.conf");
  const flags = `--quiet --detach=false --no-resolve-image`;
  await on(
    `docker service create ${flags} --name ${name} --network ${physicalName("palmistry", "edge")} \
     --publish mode=host,target=80,published=${port} --mount type=bind,source=${file},target=/etc/nginx/nginx.conf,readonly \
     ${images[0]}`,
  );
  let changes = 0;
  let next = false;
  return {
    name: "docker service update",
    target,
    // Another configuration is another task, as with `docker config`.
    reload: async () => {
      await on(`docker service update ${flags} --env-add CHANGE=${++changes} ${name}`);
    },
    upgrade: async () => {
      next = !next;
      await on(`docker service update ${flags} --image ${images[next ? 1 : 0]} ${name}`);
    },
  };
}

async function haproxy(lab: TestLab, on: On, image: string): Promise<Proxy> {
  const { file, target, port } = await place(lab, on, 1, "haproxy.cfg");
  // The signal of the image that its makers publish: it lets requests end.
  const options = `--stop-signal USR1 --volume ${file}:/etc/haproxy/haproxy.cfg:ro`;
  const replace = await container(
    on,
    "bench-haproxy",
    `${port}:80`,
    `${options} ${image} haproxy -W -db -f /etc/haproxy/haproxy.cfg`,
  );
  return {
    name: "HAProxy",
    target,
    reload: async () => {
      await on("docker kill --signal USR2 bench-haproxy");
    },
    upgrade: replace,
  };
}

async function caddy(lab: TestLab, on: On, image: string): Promise<Proxy> {
  const { file, target, port } = await place(lab, on, 2, "Caddyfile");
  const config = "--config /etc/caddy/Caddyfile --adapter caddyfile";
  const run = `--volume ${file}:/etc/caddy/Caddyfile:ro ${image} caddy run ${config}`;
  const replace = await container(on, "bench-caddy", `${port}:80`, run);
  return {
    name: "Caddy",
    target,
    reload: async () => {
      await on(`docker exec bench-caddy caddy reload --force ${config}`);
    },
    upgrade: replace,
  };
}

/** Its state is on a volume, as Kamal has it. */
async function kamal(lab: TestLab, on: On, image: string): Promise<Proxy> {
  const { target, port } = await place(lab, on, 3);
  const run = `--volume bench-kamal:/root/.config/kamal-proxy ${image} kamal-proxy run --http-port 80`;
  const replace = await container(on, "bench-kamal", `${port}:80`, run);
  const reload = async (): Promise<void> => {
    const options = "--target tasks.palmistry-api:8000 --health-check-path /health";
    await on(`docker exec bench-kamal kamal-proxy deploy application ${options}`);
  };
  await until("kamal-proxy takes its target", 10_000, async () =>
    reload().then(
      () => true,
      () => undefined,
    ),
  );
  return { name: "kamal-proxy", target, reload, upgrade: replace };
}

async function answers(name: string, { origin, connect }: Target): Promise<void> {
  await until(`${name} answers`, 30_000, async () => {
    const { host: named } = new URL(origin);
    const answer = await fetch(`http://${connect}/api/version`, { headers: { host: named } }).catch(() => undefined);
    return answer?.status === 200 ? true : undefined;
  });
}
