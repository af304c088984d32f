# Managed by berth: swarm of web-1. Runs in the project root; safe to run again at any time.
set -eu
umask 077
export LC_ALL=C
host=web-1
config='.berth/production/ssh_config'

refuse() {
  echo 'host web-1: swarm:' "$1" >&2
  exit 1
}

[ -e "$config" ] || refuse "$config is missing; run pulumi preview, which writes it, and try again"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo 'web-1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBerth' >"$scratch/known_hosts"

# on_host COMMAND
on_host() {
  ssh -F "$config" -o 'HostName=203.0.113.7' -o 'Port=22' -o 'User=root' -o 'HostKeyAlias=web-1' -o UserKnownHostsFile="$scratch/known_hosts" -o StrictHostKeyChecking=yes "$host" "$1"
}

# fresh COMMAND: by a connection of its own
fresh() {
  ssh -F "$config" -o ControlMaster=no -o ControlPath=none -o 'HostName=203.0.113.7' -o 'Port=22' -o 'User=root' -o 'HostKeyAlias=web-1' -o UserKnownHostsFile="$scratch/known_hosts" -o StrictHostKeyChecking=yes "$host" "$1"
}

# ask COMMAND: on the manager that answers
ask() {
  ssh -F "$config" "$manager" "$1"
}

# The manager that Pulumi talks to, else any host that knows the nodes of the swarm.
find_manager() {
  manager='' silent=''
  for one in manager.swarm $(listed); do
    status=0
    ssh -F "$config" "$one" 'docker node inspect --format "{{.ID}}" self' >"$scratch/said" 2>&1 || status=$?
    case "$status $one" in
      '0 '*)
        manager=$one
        return
        ;;
      '255 manager.swarm') ;;
      '255 '*) silent="$silent $one" ;;
    esac
  done
}

# Names of the hosts in the stack file.
listed() {
  sed -n 's/^Host \([a-z][a-z0-9-]*\)$/\1/p' "$config"
}

role=manager availability=active address='' first=yes

join() {
  find_manager
  status=0
  facts=$(on_host 'docker info --format "{{.Swarm.LocalNodeState}} {{.Swarm.NodeAddr}} {{.Swarm.NodeID}}"') || status=$?
  node=${facts##* }
  case "$status ${facts%% *}" in
    '0 active') check_membership ;;
    '0 inactive') enter ;;
    '0 locked') refuse 'is locked since its restart; run "npm run berth -- unlock production", then pulumi up again' ;;
    '0 '*) refuse "its part of the swarm does not work, got state ${facts%% *}; see journalctl -u docker on it" ;;
    '255 '*) find_lost ;;
    *) refuse 'its Docker does not answer; see journalctl -u docker on it' ;;
  esac
  settle
}

# What a manager decides needs no help of the host.
find_lost() {
  node=
  [ -z "$manager" ] || node=$(nodes | head -n 1)
  [ -n "$node" ] || refuse 'cannot be reached, and no manager knows it; start it, or take it out of the stack file'
  echo 'cannot be reached; the swarm is told without its help'
}

check_membership() {
  own=$(echo "$facts" | cut -d ' ' -f 2)
  [ -n "$manager" ] ||
    refuse 'belongs to a swarm of which no manager answers; start one, or run "docker swarm leave --force" on it if that swarm is gone'
  ask "docker node inspect --format '{{.ID}}' $node" >"$scratch/said" 2>&1 ||
    refuse 'belongs to another swarm; run "docker swarm leave --force" on it if that swarm is gone, then pulumi up again'
  [ -z "$address" ] || [ "$own" = "$address" ] ||
    refuse "the others know it by another address than its privateAddress, got $own; at a quiet time run \"docker swarm leave\" on it, or \"docker swarm init --force-new-cluster --advertise-addr $address\" if it is the only manager, then pulumi up again"
  echo "unchanged: in the swarm at $own"
}

enter() {
  if [ -n "$manager" ]; then
    join_swarm
  else
    [ -n "$first" ] || refuse 'no manager of the swarm answers, so there is nothing to join; start one, then pulumi up again'
    [ -z "$silent" ] ||
      refuse "a swarm may be there already, on hosts that do not answer, got$silent; start them, or take them out of the stack file"
    pool=$(free_pool)
    on_host "sh -s $pool" <<'BERTH_SCRIPT'
# Managed by berth: swarm of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: swarm:' "$1" >&2
  exit 1
}

pool=$1

main() {
  address=$(own_address)
  # What this prints contains the token that lets others join.
  docker swarm init --advertise-addr "$address" --default-addr-pool "$pool" --default-addr-pool-mask-length 24 >/dev/null
  echo "changed: manager of a new swarm at $address, networks from $pool"
}

# The address that other hosts reach this one at. It has to be one of its own: behind NAT the public one is not.
own_address() {
  given='203.0.113.7'
  if [ -n "$given" ] && ip -4 -oneline address show | grep -qF " $given/"; then
    echo "$given"
  else
    address=$(ip -4 -oneline route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
    [ -n "$address" ] || refuse 'has no default route, so its own address is not clear; give it a privateAddress'
    echo "$address"
  fi
}

main </dev/null
BERTH_SCRIPT
    manager=$host
  fi
  node=$(on_host 'docker info --format "{{.Swarm.NodeID}}"')
}

# Subnets at which no host reaches anything else.
free_pool() {
  # shellcheck disable=SC2016 # expanded on the hosts
  look='PATH=$PATH:/usr/sbin:/sbin
for pool in 10.201.0.0/16 10.117.0.0/16 10.59.0.0/16 198.18.0.0/16; do
  if [ -z "$(ip -4 route show root "$pool")$(ip -4 route show match "$pool" | grep -v ^default)" ]; then echo "$pool"; fi
done'
  for one in $(listed); do
    echo "$look" | ssh -F "$config" "$one" 'sh -s' >>"$scratch/free" || refuse "$one cannot be reached"
  done
  for pool in 10.201.0.0/16 10.117.0.0/16 10.59.0.0/16 198.18.0.0/16; do
    if [ "$(grep -cxF "$pool" "$scratch/free")" -eq "$(listed | wc -l)" ]; then
      echo "$pool"
      return
    fi
  done
  refuse 'the routes of the hosts cover all of 10.201.0.0/16, 10.117.0.0/16, 10.59.0.0/16, 198.18.0.0/16; free one of them for overlay networks'
}

join_swarm() {
  # A machine that was set up anew is still listed, at its own address, and nobody joins by himself.
  managers=$(ask 'docker info --format "{{range .Swarm.RemoteManagers}}\"{{.Addr}}\",{{end}}"' |
    sed "s/\"$address:2377\",//")
  token=$(ask "docker swarm join-token --quiet $role")
  answer=$(printf '{"ListenAddr":"%s:2377","AdvertiseAddr":"%s","RemoteAddrs":[%s],"JoinToken":"%s"}' \
    "$address" "$address" "${managers%,}" "$token" |
    on_host 'curl --silent --show-error --max-time 60 --unix-socket /run/docker.sock --header "Content-Type: application/json" --data @- --write-out " %{http_code}" http://docker/swarm/join')
  [ "${answer##* }" = 200 ] ||
    refuse "cannot join, got $answer; the hosts must reach each other's private addresses at TCP 2377 and 7946 and UDP 7946 and 4789"
  echo "changed: $role of the swarm at $address"
}

settle() {
  hosts=$(listed | paste -s -d ' ')
  ask "sh -s $node $role $availability $hosts" <<'BERTH_SCRIPT'
# Managed by berth: swarm of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: swarm:' "$1" >&2
  exit 1
}

node=$1 role=$2 availability=$3
shift 3
listed=$*

main() {
  set --
  found=$(docker node inspect --format '{{.Spec.Role}} {{.Spec.Availability}}' "$node")
  [ "${found% *}" = "$role" ] || set -- "$@" --role "$role"
  [ "${found#* }" = "$availability" ] || set -- "$@" --availability "$availability"
  wanted=$(printf '%s\n' 'berth.host=web-1' 'disk=fast & big' 'edge=true')
  labels=$(docker node inspect --format '{{range $key, $value := .Spec.Labels}}{{$key}}={{$value}}{{"\n"}}{{end}}' "$node")
  if [ "$wanted" != "$labels" ]; then
    while IFS='=' read -r key _; do
      case "$key" in '' | berth.host | disk | edge) ;; *) set -- "$@" --label-rm "$key" ;; esac
    done <<END
$labels
END
    set -- "$@" --label-add 'berth.host=web-1' --label-add 'disk=fast & big' --label-add 'edge=true'
  fi
  [ "$found" = "${found#manager}" ] || [ "$role" = manager ] || dismiss
  if [ "$#" -eq 0 ]; then
    echo "unchanged: $role, $availability, labels"
  else
    docker node update "$@" "$node" >/dev/null
    echo "changed: $*"
  fi
  await unready || refuse "did not become a manager within 120 s, got $left; see journalctl -u docker on it"
  forget
  if [ "$availability" = drain ]; then
    await tasks || refuse "tasks did not end within 120 s of its being drained, got $left; see docker node ps"
    echo 'unchanged: nothing of the swarm runs on it'
  fi
  # Last, since this may be the very manager that answers here.
  [ "$role" = manager ] || decide_without "$node"
}

# Managers that the stack file no longer has go first: one that is lost counts among those of whom most must answer.
dismiss() {
  for other in $(docker node ls --quiet --filter role=manager); do
    name=$(docker node inspect --format '{{index .Spec.Labels "berth.host"}}' "$other")
    case " $listed " in *" $name "*) continue ;; esac
    # One that berth did not bring is its owner's.
    [ -n "$name" ] || continue
    demote "$other"
    echo "changed: $name is no manager any more, it is leaving"
  done
}

# The machine before this one, when it was set up anew under its name.
forget() {
  for other in $(docker node ls --quiet --filter node.label=berth.host=web-1); do
    if [ "$other" != "$node" ] && [ "$(docker node inspect --format '{{.Status.State}}' "$other")" = down ]; then
      demote "$other"
      docker node rm --force "$other" >/dev/null
      echo "changed: node $other removed, an earlier machine of this name"
    fi
  done
}

# await QUESTION: until it prints nothing
await() {
  deadline=$(($(date +%s) + 120))
  while :; do
    left=$("$1") || return 1
    [ -n "$left" ] || return 0
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.5
  done
}

# A manager that is promoted takes its part in the decisions a moment later. One that is lost is not waited for.
unready() {
  docker node inspect --format '{{.Status.State}} {{.Spec.Role}} {{with .ManagerStatus}}{{.Reachability}}{{else}}none{{end}}' "$node" |
    grep '^ready manager' | grep -v ' reachable$' || [ "$?" -eq 1 ]
}

# demote NODE: makes a worker of a manager
demote() {
  docker node update --role worker "$1" >/dev/null
  decide_without "$1"
}

# decide_without NODE: until the managers do. They refuse to remove it before, and lose one another when two go at once.
decide_without() {
  demoted=$1
  await deciding || refuse "it is a manager still after 120 s, got $left; more than half of the managers must answer, see docker node ls"
}
# What Docker says while they choose a leader counts as an answer, unless this one is no manager any more.
deciding() {
  said=$(docker node inspect --format '{{with .ManagerStatus}}{{.Addr}}{{end}}' "$demoted" 2>&1) ||
    [ "$(docker info --format '{{.Swarm.ControlAvailable}}')" != false ] || said=
  echo "$said"
}

# Tasks that run on the node. Those of a lost one are listed as running for another day.
tasks() {
  [ "$(docker node inspect --format '{{.Status.State}}' "$node")" = down ] ||
    docker node ps --format '{{.CurrentState}} {{.Name}}' "$node" | sed -n 's/^Running .* //p'
}

# Services with fewer tasks than they should have; jobs, which end, have a remark behind their numbers.
short() { docker service ls --format '{{.Replicas}} {{.Name}}' | awk 'NF == 2 { split($1, n, "/"); if (n[1] < n[2]) print $2 }'; }

main </dev/null
BERTH_SCRIPT
}

leave() {
  if listed | grep -qx "$host"; then
    echo 'unchanged: a stack that is destroyed leaves its hosts prepared, swarm included'
    return
  fi
  find_manager
  [ -n "$manager" ] || refuse 'no manager of the swarm answers, and only one can remove it; start one, then pulumi up again'
  answers=no
  if on_host true; then answers=yes; fi
  for node in $(nodes); do
    ask "sh -s $node $answers" <<'BERTH_SCRIPT'
# Managed by berth: swarm of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: swarm:' "$1" >&2
  exit 1
}

node=$1 answers=$2

main() {
  docker node update --availability drain "$node" >/dev/null
  [ "$answers" = no ] || await tasks ||
    refuse "tasks did not end within 120 s of its being drained, got $left; see docker node ps, then pulumi up again"
  await short ||
    refuse "not everything that ran on it runs elsewhere within 120 s, got fewer tasks of $left; it stays drained; see docker service ps, then pulumi up again"
  echo 'changed: drained'
  demote "$node"
}

# await QUESTION: until it prints nothing
await() {
  deadline=$(($(date +%s) + 120))
  while :; do
    left=$("$1") || return 1
    [ -n "$left" ] || return 0
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.5
  done
}

# A manager that is promoted takes its part in the decisions a moment later. One that is lost is not waited for.
unready() {
  docker node inspect --format '{{.Status.State}} {{.Spec.Role}} {{with .ManagerStatus}}{{.Reachability}}{{else}}none{{end}}' "$node" |
    grep '^ready manager' | grep -v ' reachable$' || [ "$?" -eq 1 ]
}

# demote NODE: makes a worker of a manager
demote() {
  docker node update --role worker "$1" >/dev/null
  decide_without "$1"
}

# decide_without NODE: until the managers do. They refuse to remove it before, and lose one another when two go at once.
decide_without() {
  demoted=$1
  await deciding || refuse "it is a manager still after 120 s, got $left; more than half of the managers must answer, see docker node ls"
}
# What Docker says while they choose a leader counts as an answer, unless this one is no manager any more.
deciding() {
  said=$(docker node inspect --format '{{with .ManagerStatus}}{{.Addr}}{{end}}' "$demoted" 2>&1) ||
    [ "$(docker info --format '{{.Swarm.ControlAvailable}}')" != false ] || said=
  echo "$said"
}

# Tasks that run on the node. Those of a lost one are listed as running for another day.
tasks() {
  [ "$(docker node inspect --format '{{.Status.State}}' "$node")" = down ] ||
    docker node ps --format '{{.CurrentState}} {{.Name}}' "$node" | sed -n 's/^Running .* //p'
}

# Services with fewer tasks than they should have; jobs, which end, have a remark behind their numbers.
short() { docker service ls --format '{{.Replicas}} {{.Name}}' | awk 'NF == 2 { split($1, n, "/"); if (n[1] < n[2]) print $2 }'; }

main </dev/null
BERTH_SCRIPT
    [ "$answers" = no ] || on_host 'docker swarm leave --force' >"$scratch/said"
    ask "docker node rm --force $node" >"$scratch/said"
    echo "changed: node $node removed"
  done
  [ "$answers" = yes ] ||
    echo 'did not answer: should it come back, run "docker swarm leave --force" on it before it is used for anything else'
}

# Nodes that were this host: a machine that was set up anew is another one.
nodes() {
  ask "docker node ls --quiet --filter node.label=berth.host=$host"
}

"$@" </dev/null
