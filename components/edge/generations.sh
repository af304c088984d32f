# --- generations of nginx ---------------------------------------------------------------------------------------
# A part of host.sh, whose names and settings it uses.

# Limits are three numbers, as `docker inspect` shows them: bytes of memory, billionths of cores, processes. Those of the
# container that holds the namespace are for a `sleep`, and for what Docker starts it with.
holder='33554432 1000000000 64'

# limits [MEMORY CPUS PIDS]: Docker refuses more cores than there are
limits() {
  [ $# -eq 0 ] || docker info -f '{{.NCPU}}' |
    awk '{ printf "%s %.0f %s\n", memory, (cpus < $1 ? cpus : $1) * 1e9, pids }' memory="$1" cpus="$2" pids="$3" -
}

# shellcheck disable=SC2046 # three numbers, or none where an earlier program left none
generation_limits() { limits $(cat "$root/limits" 2>/dev/null); }

# limit_options LIMITS: what is held in memory is not swapped; a visitor would wait for it
limit_options() {
  echo "$1" | awk 'NF { printf "--memory %s --memory-swap %s --cpus %.9f --pids-limit %s", $1, $1, $2 / 1e9, $3 }'
}

limits_in_words() { echo "$1" | awk '{ printf "%d MB of memory, %g cores, %d processes", $1 / 1048576, $2 / 1e9, $3 }'; }
confinement() { inspect "$1" '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}'; }

# confine CONTAINER LIMITS: while it runs
confine() {
  if [ -z "$2" ] || [ "$(confinement "$1")" = "$2" ]; then return; fi
  # shellcheck disable=SC2046 # options with their values
  docker update $(limit_options "$2") "$1" >/dev/null
  [ "$1" = "$name" ] || say "nginx (generation ${1#"$name-"}) has $(limits_in_words "$2")"
}

# nginx_container DOCKER_OPTION...: no rights but those nginx needs to drop its own
nginx_container() {
  # shellcheck disable=SC2046 # options with their values, or nothing
  docker run $(limit_options "$(generation_limits)") --label "berth.edge=$name" \
    --volume "$root:$inside:ro" --volume /var/cache/nginx --read-only --tmpfs /run/nginx --security-opt no-new-privileges --cap-drop ALL \
    --cap-add CHOWN --cap-add KILL --cap-add NET_BIND_SERVICE --cap-add SETGID --cap-add SETUID \
    --log-driver json-file --log-opt max-size=10m --log-opt max-file=3 "$@"
}

# link_parts DIRECTORY VERSION: those that are the same for all generations
link_parts() {
  for part in nginx.conf generation.conf ranges.conf dhparam.pem sites certificates; do
    ln -sfn "../../$2/$part" "$1/$part"
  done
}

# link DIRECTORY VERSION PHASE PORT: a configuration directory of parts
link() {
  mkdir -p "$1"
  link_parts "$1" "$2"
  point "$1/listen" "../../$2/listen/$3"
  write "$1/port.conf" "listen 127.0.0.1:$4;"
}

generations() { find "$root/generations" -mindepth 1 -maxdepth 1 -name '[0-9]*' -printf '%f\n' | sort -n; }
phase() { basename "$(readlink "$root/generations/$1/listen")"; }
namespace() { readlink "/proc/$(inspect "$1" '{{.State.Pid}}')/ns/net"; }
ask() { docker exec "$name-$1" busybox wget -q -T 2 -O - "http://127.0.0.1:$(loopback_port "$1")/berth/ready" 2>/dev/null; }
answers() { [ "$(ask "$1")" = "$(live) $(phase "$1")" ]; }

# It runs in the namespace that has the ports.
runs() {
  [ "$(inspect "$name-$1" '{{.State.Running}}')" = true ] && [ "$(namespace "$name-$1")" = "$(namespace "$name")" ]
}
wanted() { [ "$(inspect "$name-$1" '{{.Config.Image}}')" = "$(cat "$root/image")" ]; }

# enter N PHASE: nginx takes over its configuration gracefully, without closing a port
enter() {
  # Of what an earlier program linked, something may be missing.
  [ -e "$root/generations/$1/dhparam.pem" ] || link_parts "$root/generations/$1" live
  point "$root/generations/$1/listen" "../../live/listen/$2"
  ! answers "$1" || return 0
  # By `docker kill`, the signal would end the container's restart policy.
  docker exec "$name-$1" sh -c 'kill -HUP 1'
  await 15 answers "$1" || {
    docker logs --since 30s "$name-$1" 2>&1 | grep -E '\[(emerg|alert|crit|error)\]' | tail -5 >&2
    fail "nginx (generation $1) did not take over configuration $(live) within 15 s"
  }
}

start() {
  rm -rf "$root/generations/$1"
  link "$root/generations/$1" live warm "$(loopback_port "$1")"
  nginx_container --detach --name "$name-$1" --network "container:$name" --restart unless-stopped \
    "$(cat "$root/image")" nginx -g 'daemon off;' -c "$inside/generations/$1/nginx.conf" >/dev/null
  await 15 answers "$1" || {
    docker logs --tail 5 "$name-$1" >&2
    discard "$1"
    fail "nginx (generation $1) did not start"
  }
}

# Until the names of all upstreams are resolved. A service may be down, so the wait has an end.
warm_up() {
  # shellcheck disable=SC2016,SC2046 # expanded in the container; names have no blanks
  docker exec "$name-$1" sh -c '
    port=$1; shift
    end=$(($(date +%s) + 5))
    for upstream in "$@"; do
      until case $(busybox wget -S -T 3 -O /dev/null "http://127.0.0.1:$port/berth/upstreams/$upstream" 2>&1) in
        *"HTTP/1.1 50"[234]*) false ;;
      esac; do
        [ "$(date +%s)" -lt "$end" ] || { echo "edge: $upstream does not answer yet"; break; }
        sleep 0.2
      done
    done' warm-up "$(loopback_port "$1")" $(sites | xargs -r sed -n 's/^upstream \([^ ]*\) {$/\1/p')
}

discard() {
  [ -z "$(inspect "$name-$1" '{{.Id}}')" ] || docker rm --force --volumes "$name-$1" >/dev/null
  rm -rf "$root/generations/$1"
}

# Ends a generation that is not the current one: at once when it serves nobody, else when its visitors have left or
# its drain period is over. nginx counts that itself; what has ended is cleared away by the next run.
retire() {
  if ! runs "$1" || [ "$(phase "$1")" != open ]; then
    discard "$1"
  elif [ ! -e "$root/generations/$1/draining" ]; then
    docker update --restart no "$name-$1" >/dev/null
    docker kill --signal QUIT "$name-$1" >/dev/null
    : >"$root/generations/$1/draining"
    say "generation $1 drains"
  fi
}

# fits MEMORY: nginx can start with it, and what runs does not hold more already: the kernel would end workers
fits() {
  cores=$(docker info -f '{{.NCPU}}')
  refuse_memory "$1" $((32 + 8 * cores)) "nginx has a worker for each of $cores cores"
  for one in $(generations); do
    has=$(inspect "$name-$one" '{{.HostConfig.Memory}}' || echo "$1")
    if [ "$has" -ne 0 ] && [ "$has" -le "$1" ]; then continue; fi
    # Anonymous memory alone, by the name that either version of control groups has for it.
    held=$(docker exec "$name-$one" sh -c 'cat /sys/fs/cgroup/memory.stat /sys/fs/cgroup/memory/memory.stat' 2>/dev/null |
      awk '$1 == "anon" || $1 == "total_rss" { print $2; exit }')
    held=$((${held:-0} / 1048576))
    refuse_memory "$1" $((held * 4 / 3)) "nginx (generation $one) holds $held MB"
  done
}

# refuse_memory MEMORY LEAST_MEGABYTES WHY
refuse_memory() {
  [ "$1" -ge $(($2 * 1048576)) ] ||
    fail "berth:edge.resources.memory is too little, got $(($1 / 1048576)) MB: $3; write $2 MB or more"
}

# Brings what runs to what is wanted: one generation of the wanted image with the live configuration; others leave.
settle() {
  [ -e "$root/live" ] || return 0
  [ "$(inspect "$name" '{{.State.Running}}')" = true ] || docker start "$name" >/dev/null
  mkdir -p "$root/generations"
  for one in $(generations); do
    [ -z "$(inspect "$name-$one" '{{.Id}}')" ] || confine "$name-$one" "$(generation_limits)"
  done
  now=$(cat "$root/current" 2>/dev/null || echo 0)
  if runs "$now" && wanted "$now"; then
    enter "$now" open
  else
    next=$((1 + $(echo "0 $now $(generations)" | tr ' ' '\n' | sort -n | tail -1)))
    start "$next"
    # Where nothing serves, a late answer is better than none.
    ! runs "$now" || warm_up "$next"
    enter "$next" open
    now=$next
    write "$root/current" "$now"
    say "generation $now of nginx serves: $(cat "$root/image")"
  fi
  for other in $(generations); do [ "$other" = "$now" ] || retire "$other"; done
}
