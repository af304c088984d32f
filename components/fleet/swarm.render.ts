import type { Host } from "../config/host.ts";
import { quote } from "../shared/shell.ts";
import { renderScript } from "./script.ts";

/** Node label that carries the name of a host in the stack file. */
export const hostLabel = "berth.host";

/**
 * Subnets that overlay networks are cut from; it cannot be changed once the swarm is there. Docker's own choice,
 * all of 10.0.0.0/8 from its beginning, collides with the private networks that hosts often sit in.
 */
const addressPools = ["10.201.0.0/16", "10.117.0.0/16", "10.59.0.0/16", "198.18.0.0/16"];

/** The first manager: makes the swarm when there is none, and keeps this node's labels as the stack file has them. */
export function renderSwarm(host: Pick<Host, "name" | "labels" | "publicAddress">): string {
  const labels = Object.entries({ ...host.labels, [hostLabel]: host.name }).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return renderScript({
    host: host.name,
    concern: "swarm",
    body: `
main() {
  join
  label
}

join() {
  state=$(docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}}')
  case "$state" in
    'active true') echo 'unchanged: manager of the swarm' ;;
    'inactive '*)
      address=$(own_address)
      pool=$(free_pool)
      # What this prints contains the token that lets others join.
      docker swarm init --advertise-addr "$address" --default-addr-pool "$pool" --default-addr-pool-mask-length 24 >/dev/null
      echo "changed: manager of a new swarm at $address, networks from $pool"
      ;;
    'active false') refuse 'belongs to a swarm of which it is not a manager; run "docker swarm leave" on it if that swarm is gone' ;;
    *) refuse "its swarm does not work, got state \\"$state\\" $(docker info --format '{{.Swarm.Error}}'); see journalctl -u docker" ;;
  esac
}

# The address that other hosts reach this one at. It has to be one of its own: behind NAT the public one is not.
own_address() {
  public=${quote(host.publicAddress ?? "")}
  if [ -n "$public" ] && ip -4 -oneline address show | grep -qF " $public/"; then
    echo "$public"
    return
  fi
  address=$(ip -4 -oneline route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p')
  [ -n "$address" ] || refuse 'has no default route, so its own address is not clear; add a route, or give publicAddress an address of its own'
  echo "$address"
}

free_pool() {
  for pool in ${addressPools.join(" ")}; do
    if [ -z "$(ip -4 route show root "$pool")$(ip -4 route show match "$pool" | grep -v '^default')" ]; then
      echo "$pool"
      return
    fi
  done
  refuse 'its routes cover all of ${addressPools.join(", ")}; free one of them for overlay networks'
}

label() {
  wanted=$(printf '%s\\n' ${labels.map(([key, value]) => quote(`${key}=${value}`)).join(" ")})
  node=$(docker info --format '{{.Swarm.NodeID}}')
  found=$(docker node inspect "$node" --format '{{range $key, $value := .Spec.Labels}}{{$key}}={{$value}}{{"\\n"}}{{end}}')
  if [ "$wanted" = "$found" ]; then
    echo 'unchanged: labels'
    return
  fi
  set --
  while IFS='=' read -r key _; do
    case "$key" in ${["''", ...labels.map(([key]) => key)].join(" | ")}) ;; *) set -- "$@" --label-rm "$key" ;; esac
  done <<END
$found
END
  docker node update "$@" ${labels.map(([key, value]) => `--label-add ${quote(`${key}=${value}`)}`).join(" ")} "$node" >/dev/null
  echo 'changed: labels'
}
`,
  });
}
