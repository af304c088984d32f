# Managed by berth: swarm of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: swarm:' "$1" >&2
  exit 1
}

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
    *) refuse "its swarm does not work, got state \"$state\" $(docker info --format '{{.Swarm.Error}}'); see journalctl -u docker" ;;
  esac
}

# The address that other hosts reach this one at. It has to be one of its own: behind NAT the public one is not.
own_address() {
  public='203.0.113.7'
  if [ -n "$public" ] && ip -4 -oneline address show | grep -qF " $public/"; then
    echo "$public"
    return
  fi
  address=$(ip -4 -oneline route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  [ -n "$address" ] || refuse 'has no default route, so its own address is not clear; add a route, or give publicAddress an address of its own'
  echo "$address"
}

free_pool() {
  for pool in 10.201.0.0/16 10.117.0.0/16 10.59.0.0/16 198.18.0.0/16; do
    if [ -z "$(ip -4 route show root "$pool")$(ip -4 route show match "$pool" | grep -v '^default')" ]; then
      echo "$pool"
      return
    fi
  done
  refuse 'its routes cover all of 10.201.0.0/16, 10.117.0.0/16, 10.59.0.0/16, 198.18.0.0/16; free one of them for overlay networks'
}

label() {
  wanted=$(printf '%s\n' 'berth.host=web-1' 'disk=fast & big' 'edge=true')
  node=$(docker info --format '{{.Swarm.NodeID}}')
  found=$(docker node inspect "$node" --format '{{range $key, $value := .Spec.Labels}}{{$key}}={{$value}}{{"\n"}}{{end}}')
  if [ "$wanted" = "$found" ]; then
    echo 'unchanged: labels'
    return
  fi
  set --
  while IFS='=' read -r key _; do
    case "$key" in '' | berth.host | disk | edge) ;; *) set -- "$@" --label-rm "$key" ;; esac
  done <<END
$found
END
  docker node update "$@" --label-add 'berth.host=web-1' --label-add 'disk=fast & big' --label-add 'edge=true' "$node" >/dev/null
  echo 'changed: labels'
}

main </dev/null
