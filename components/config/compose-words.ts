import type { Path } from "./findings.ts";

/** What docker-compose calls otherwise, or has and a system does not, with what to write instead. */
const cures: Readonly<Record<string, string>> = {
  build: "a pipeline builds; write the key of a pin as `image`",
  cap_add: "write `capabilities`",
  cap_drop: "remove it, all capabilities are dropped",
  container_name: "remove it, the service is reached by its own name",
  cpus: "write `resources`",
  depends_on: "write `dependsOn`",
  deploy: "write `replicas`, `resources` and `rollout`",
  entrypoint: "the image's own stays; write what follows it as `command`",
  environment: "write `env`",
  env_file: "write `env`, and `secrets` for what nobody may see",
  expose: "write `port` on a web service",
  healthcheck: "write `health`",
  labels: "write routes under edge.sites",
  mem_limit: "write `resources`",
  ports: "nothing is published, so write `port` on a web service and a route under edge.sites",
  privileged: "remove it, no service is privileged",
  read_only: "write `readOnly`, which is true by default",
  restart: "remove it, whatever ends is started again",
  security_opt: "remove it, no container gains privileges",
  stop_grace_period: "write `stopGracePeriod`",
};

/** Words for a key of docker-compose in a service or store, where a newcomer would write it; else nothing. */
export function composeWord(path: Path): string | undefined {
  const [section, , key] = path;
  const cure = (section === "services" || section === "data") && path.length === 3 ? cures[String(key)] : undefined;
  return cure === undefined ? undefined : `is a key of docker-compose; ${cure}`;
}
