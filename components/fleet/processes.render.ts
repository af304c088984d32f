import type { Host } from "../config/host.ts";
import type { PidsLimit } from "../config/stack.ts";
import { looks, place, renderScript } from "./script.ts";

/**
 * Limits the processes and threads of each container by systemd: with its driver, Docker runs every container in a
 * scope `docker-<id>.scope`, and a drop-in for the part of the name before the last hyphen holds for all of them.
 * systemd takes it up for what runs already. A limit that a container was given by Docker itself goes before it: it
 * becomes a drop-in `50-TasksMax.conf`, which is read later than this one.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html
 */
export function renderProcesses({
  host,
  pidsLimit,
}: {
  readonly host: Pick<Host, "name">;
  readonly pidsLimit: PidsLimit;
}): string {
  return renderScript({
    host: host.name,
    concern: "processes",
    body: `
config=/etc/systemd/system/docker-.scope.d/10-berth.conf

${looks}

${pidsLimit === "none" ? withoutLimit : withLimit(pidsLimit)}`,
  });
}

const withoutLimit = `
main() {
  if [ ! -e "$config" ]; then
    echo 'unchanged: no limit of processes'
  elif ! differs "$config is there"; then
    rm "$config"
    systemctl daemon-reload
    echo 'changed: no limit of processes'
  fi
}
`.trimStart();

const withLimit = (limit: number): string =>
  `
${place}

main() {
  place "$config" <<'END'
# Managed by berth: processes and threads of each container that was not given a limit of its own.
[Scope]
TasksMax=${limit}
END
  # At each run: one that was interrupted may have left the file and not come to this.
  [ "$looking" = check ] || systemctl daemon-reload
  driver=$(docker info --format '{{.CgroupDriver}}' 2>/dev/null) || driver=
  if [ -n "$driver" ] && [ "$driver" != systemd ]; then
    differs "no container has a limit of processes: Docker's cgroup driver is $driver, not systemd" || cat <<'END'
warning: no container has a limit of processes, as Docker's cgroup driver is not systemd. When a restart of Docker, which
stops its containers, does no harm, run on this host:
  sed -i '1a\\  "exec-opts": ["native.cgroupdriver=systemd"],' /etc/docker/daemon.json && systemctl restart docker
END
  fi
  above
}

# What is in force, container by container.
above() {
  systemctl show --property Id --property TasksMax 'docker-*.scope' |
    awk -F = '$1 == "TasksMax" { tasks = $2 } $1 == "Id" { id = $2 }
      /^$/ { show() } END { show() }
      function show() { if (id != "" && (tasks == "infinity" || tasks + 0 > ${limit})) print id, tasks; id = "" }' |
    while read -r scope tasks; do
      differs "$scope may have $tasks processes, not ${limit}" || echo "unchanged: $scope has a limit of its own, $tasks"
    done
}
`.trimStart();
