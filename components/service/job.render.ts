import { createHash } from "node:crypto";
import type { Duration } from "../shared/duration.ts";
import { milliseconds } from "../shared/duration.ts";
import { bytes } from "../shared/size.ts";
import type { Resources } from "../config/resources.ts";
import { quote } from "../shared/shell.ts";

/** What runs to its end as a swarm job. */
export interface JobScript {
  /** Physical name of its swarm service. */
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Docker secrets by the name they are mounted under. */
  readonly secrets: readonly { readonly name: string; readonly secretName: string }[];
  /** Networks by name. */
  readonly networks: readonly string[];
  readonly resources: Resources;
  readonly user: string;
  readonly readOnly: boolean;
  readonly timeout: Duration;
}

/** Label of the empty swarm configs that remember for which image a job has run. */
export const jobLabel = "berth.job";

/** What Docker takes as the name of a config. */
const maxMarkerLength = 64;

/** A job is done once for this name, wherever the manager is: the swarm's own store remembers it. */
export function markerName(job: Pick<JobScript, "name" | "image" | "command">): string {
  const identity = createHash("sha256")
    .update(JSON.stringify([job.image, job.command]))
    .digest("hex")
    .slice(0, 16);
  return `${job.name.slice(0, maxMarkerLength - identity.length - 1)}-${identity}`;
}

/**
 * Runs a job to its end as a swarm job (`replicated-job`, Docker 20.10 and later), unless it ran for this image
 * before: going back to an earlier release must not run its migrations on a newer schema.
 *
 * The service is removed afterwards in any case, for it would hold on to its secrets and stop their rotation.
 *
 * @see https://docs.docker.com/reference/cli/docker/service/create/#running-as-a-job
 */
export function renderJob(job: JobScript): string {
  return `# Managed by berth: job ${job.name}
set -eu
name=${quote(job.name)}
marker=${quote(markerName(job))}
image=${quote(job.image)}

if docker config inspect "$marker" >/dev/null 2>&1; then
  echo "ran before for $image"
  exit 0
fi

remove() { docker service rm "$name" >/dev/null; }
if docker service inspect "$name" >/dev/null 2>&1; then remove; fi
docker service create --name "$name" --label ${quote(jobLabel)}="$name" \\
  ${jobOptions(job).join(" \\\n  ")} \\
  "$image" ${job.command.map(quote).join(" ")} >/dev/null
trap remove EXIT

deadline=$(($(date +%s) + ${Math.ceil(milliseconds(job.timeout) / 1000)}))
while :; do
  task=$(docker service ps --no-trunc --format '{{.CurrentState}}: {{.Error}}' "$name" | head -n 1)
  case "$task" in
    Complete*) break ;;
    Failed* | Rejected* | Orphaned* | Remove*) reason="job failed: $task" ;;
    *) if [ "$(date +%s)" -ge "$deadline" ]; then reason="job not done within its timeout of ${job.timeout}: $task"; else reason=; fi ;;
  esac
  if [ -n "$reason" ]; then
    {
      echo "$name: $reason"
      echo "  pinned: $image"
      echo "  its last log lines:"
      docker service logs --raw --tail 20 "$name" 2>&1 | sed 's/^/    /'
      echo "  nothing that depends on it was changed; pin a version whose job works and run pulumi up"
    } >&2
    exit 1
  fi
  sleep 0.3
done
printf "%s\\n" "$image" | docker config create --label ${quote(jobLabel)}="$name" "$marker" - >/dev/null
echo "ran for $image"
`;
}

/** Forgets for which images a job has run: with the system's stores gone, its migrations start over. */
export function renderForgetJob(name: string): string {
  return `docker config ls --quiet --filter ${quote(`label=${jobLabel}=${name}`)} | xargs -r docker config rm`;
}

/** Options of `docker service create` for what runs to its end, whoever starts it. */
export function jobOptions(job: JobScript): string[] {
  return [
    "--mode replicated-job",
    "--detach",
    "--no-resolve-image",
    "--restart-condition none",
    // Most images check a server's port, which a job does not have: the swarm would end every long one as unhealthy.
    "--no-healthcheck",
    // Without it a process that is not made to be the first one of a container does not hear that it is to stop.
    "--init",
    `--user ${quote(job.user)}`,
    ...(job.readOnly ? ["--read-only", "--mount type=tmpfs,target=/tmp,tmpfs-size=67108864"] : []),
    "--cap-drop ALL",
    `--limit-memory ${bytes(job.resources.memory)}`,
    `--limit-cpu ${job.resources.cpus}`,
    ...job.networks.map((network) => `--network ${quote(network)}`),
    ...job.secrets.map(({ name, secretName }) => `--secret ${quote(`source=${secretName},target=${name},mode=0444`)}`),
    ...Object.entries(job.env).map(([name, value]) => `--env ${quote(`${name}=${value}`)}`),
    ...job.secrets.map(({ name }) => `--env ${quote(`${name}_FILE=/run/secrets/${name}`)}`),
  ];
}
