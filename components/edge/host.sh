#!/bin/sh
# The edge of this host: one nginx for the sites of every system on it. Managed by berth: installed and run over SSH
# by `pulumi up`, and run by berth-edge.service and by certbot. Every verb may be repeated, also after an interruption.
#
#   edge runtime IMAGE NETWORK ID MEMORY CPUS PIDS [http3]
#                                            network namespace with ports 80 and 443, joined to NETWORK; nginx of IMAGE
#                                            with limits: bytes, cores (those of the host, if fewer), processes
#   edge differs MEMORY CPUS PIDS            prints a line `differs: ...` for each nginx that has other limits
#   edge reopen                              the same namespace anew, with UDP port 443: a gap of some seconds
#   edge site SYSTEM CERTIFICATE=NAME,... <files  what nginx serves for SYSTEM, with certificates for these names
#   edge certificate SYSTEM CERTIFICATE KEY CHALLENGE DIRECTORY EMAIL NAME... <files
#                                            a certificate from an ACME directory, kept fresh by certbot; the files are
#                                            directory.pem, its CA, and for dns-01 cloudflare.ini and cloudflare-api
#   edge request SYSTEM CERTIFICATE KEY GENERATION NAME...
#                                            prints a request for a certificate of Cloudflare's Origin CA
#   edge issued SYSTEM CERTIFICATE <certificate  serve what was signed for it
#   edge renewed SYSTEM                      certbot's hook: serve the renewed certificates
#   edge ranges                              believe the networks of Cloudflare that this host last heard of
#   edge upkeep                              in the place of certbot's own service: renew what is due, record the outcome
#   edge renew SYSTEM CERTIFICATE            another certificate now
#   edge revoke SYSTEM CERTIFICATE REASON    the same, and revoke the one before
#   edge remove SYSTEM                       serve SYSTEM no more
#   edge leave NETWORK                       leave its network; without any site left, remove the edge
#   edge watch                               after a start of the host or of Docker: put nginx back where its ports are
#
# Docker objects: $name, a container that only holds the namespace, so that nginx can be replaced without closing a
# port; $name-1, $name-2, …, the generations of nginx inside it; $name, the bridge that the ports are published on.
#
# Files, all below $root:
#   versions/ID/      a configuration that nginx has accepted, certificates included
#   live              link to the version that is served; changed by one rename
#   generations/N/    what generation N takes for its configuration directory: links into live, and its phase
#   current           number of the generation that serves
#   image             image that generations are started from
#   limits            what each of them may take: MEMORY CPUS PIDS
#   webroot/          answers to ACME challenges
#   acme/             CAs of ACME directories; *.attempt: when each certificate was last tried for, and what came of it
#
# Beside it, for root alone: $secrets, tokens for challenges by DNS and keys whose certificates the Origin CA signs.
# For everybody: $metrics/certificates.prom.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

self=$(readlink -f "$0")
root=$(dirname "$(dirname "$self")")
inside=/var/lib/berth/edge
name=berth-edge http=80 https=443
secrets=/etc/letsencrypt/berth metrics=$(dirname "$root")/metrics
# The networks of Cloudflare, one a line, once this host has heard of others than berth came with.
ranges=$(dirname "$root")/ranges/cloudflare
# Longest wait for an authority; how long a record takes to reach the zone's name servers, both in seconds.
patience=300 propagation=10
# A test on a machine that others use has names and ports of its own.
# shellcheck source=/dev/null
[ ! -e "$root/settings" ] || . "$root/settings"

say() { printf 'edge: %s\n' "$*"; }
fail() {
  printf 'edge: %s\n' "$*" >&2
  exit 1
}

# await SECONDS COMMAND...
await() {
  deadline=$(($(date +%s) + $1))
  shift
  until "$@"; do
    [ "$(date +%s)" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# One change at a time, whoever asks for it; a verb that runs another one keeps the lock for both.
lock() {
  [ -z "${EDGE_LOCKED-}" ] || return 0
  exec 9>"$root/lock"
  flock -w 300 9 || fail "another change of the edge has been running for 5 minutes; see what holds $root/lock"
  EDGE_LOCKED=1
  export EDGE_LOCKED
}

# write FILE TEXT: whole or not at all
write() {
  printf '%s\n' "$2" >"$1.new"
  mv -f "$1.new" "$1"
}

# point LINK TARGET: in one step
point() {
  ln -sfn "$2" "$1.new"
  mv -fT "$1.new" "$1"
}

inspect() { docker inspect --type container -f "$2" "$1" 2>/dev/null; }
live() { basename "$(readlink "$root/live")"; }
sites() { find "$root/live/sites" -name '*.conf' 2>/dev/null; }
loopback_port() { echo $((9000 + $1 % 1000)); }

# include generations.sh

# --- configurations ---------------------------------------------------------------------------------------------

candidate=$root/versions/candidate

# A copy of what is live, to be changed.
begin() {
  rm -rf "$candidate"
  mkdir -p "$root/versions"
  mkdir -m 700 "$candidate"
  [ ! -e "$root/live" ] || cp -a "$root/live/." "$candidate/"
  mkdir -p "$candidate/sites" "$candidate/certificates"
}

# check VERSION: the wanted nginx accepts it, asked in a container with the same files and without any network
check() {
  link "$root/generations/check" "$1" open 9000
  if ! said=$(nginx_container --rm --network none "$(cat "$root/image")" \
    nginx -t -q -c "$inside/generations/check/nginx.conf" 2>&1); then
    printf '%s\n' "$said" >&2
    printf '%s\n' "$said" | sed -n "s,.* in $inside/generations/check/\(.*\):\([0-9]*\)$,\1 \2,p" | head -1 |
      while read -r file line; do printf 'edge: %s:%s: %s\n' "$file" "$line" "$(sed -n "${line}p" "$root/$1/$file")"; done >&2
    fail "nginx refuses the configuration; the live one stays"
  fi
  # Only a warning to nginx, but one of two systems would get all the visitors.
  case $said in *'conflicting server name'*)
    printf '%s\n' "$said" >&2
    fail "another system on this host has a site of that name; the live configuration stays" ;;
  esac
}

# The candidate becomes live if nginx accepts it, and stops being so if it does not come to run.
commit() {
  # One server has the options of the socket that sites with HTTP/3 share.
  rm -f "$candidate/listen/open/quic-default.conf"
  if grep -qs 'include listen/quic.conf;' "$candidate"/sites/*.conf; then
    echo 'listen 443 quic default_server reuseport;' >"$candidate/listen/open/quic-default.conf"
  fi
  id=$(cd "$candidate" && find . -type f ! -name generation.conf | sort | xargs sha256sum | sha256sum | cut -c 1-12)
  if [ -e "$root/live" ] && [ "$id" = "$(live)" ]; then
    rm -rf "$candidate"
    settle
    return
  fi
  write "$candidate/generation.conf" "map \"\" \$configuration { default $id; }"
  check versions/candidate
  rm -rf "$root/versions/$id"
  mv "$candidate" "$root/versions/$id"
  before=$(readlink "$root/live" || echo none)
  point "$root/live" "versions/$id"
  # A program of its own: in a condition, the shell would not stop at errors.
  if ! "$self" settle; then
    [ "$before" != none ] || fail "configuration $id was not served"
    point "$root/live" "$before"
    "$self" settle
    fail "configuration $id was not served; the one before it is back"
  fi
  say "configuration $id is live"
  find "$root/versions" -mindepth 1 -maxdepth 1 ! -name "$id" ! -path "$root/$before" -exec rm -rf {} +
}

# include certificates.sh

# include origin.sh

# --- verbs ------------------------------------------------------------------------------------------------------

supervise() {
  unit="/etc/systemd/system/$name.service"
  text="# Managed by berth. Docker starts containers in no order: nginx may be back before the namespace it belongs in.
[Unit]
Description=berth edge: nginx in the namespace of ports $http and $https
After=docker.service
StartLimitIntervalSec=0
[Service]
ExecStart=$self watch
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target"
  if [ "$(cat "$unit" 2>/dev/null)" != "$text" ]; then
    write "$unit" "$text"
    systemctl daemon-reload
    systemctl enable --quiet "$name.service"
  fi
  systemctl start "$name.service"
}

namespace_container() {
  docker network inspect "$name" >/dev/null 2>&1 || docker network create --label "berth.edge=$name" "$name" >/dev/null
  if [ -z "$(inspect "$name" '{{.Id}}')" ]; then
    # Connections that wait in the socket of a generation that ends go to the next one, where the kernel knows how.
    migrate=
    [ ! -e /proc/sys/net/ipv4/tcp_migrate_req ] || migrate='--sysctl net.ipv4.tcp_migrate_req=1'
    udp=
    [ ! -e "$root/http3" ] || udp="--publish $https:443/udp"
    # shellcheck disable=SC2046,SC2086 # options with their values, or nothing
    docker create --name "$name" --label "berth.edge=$name" --network "$name" --publish "$http:80" \
      --publish "$https:443" $udp --restart unless-stopped --read-only --cap-drop ALL --user 65534:65534 \
      --security-opt no-new-privileges --stop-signal KILL $migrate $(limit_options "$holder") \
      --entrypoint sleep "$1" infinity >/dev/null
  fi
  confine "$name" "$holder"
  [ "$(inspect "$name" '{{.State.Running}}')" = true ] || docker start "$name" >/dev/null
}

# join NETWORK ID: a network that was made anew has the old name and another id
join() {
  # shellcheck disable=SC2016 # a template
  joined=$(inspect "$name" '{{range $name, $end := .NetworkSettings.Networks}}{{$name}}={{$end.NetworkID}} {{end}}')
  case " $joined" in
    *" $1=$2 "*) return ;;
    *" $1="*) docker network disconnect --force "$1" "$name" ;;
  esac
  docker network connect "$2" "$name"
}

# HTTP/3 needs a nginx that speaks it, and a port that a namespace which is there cannot be given.
http3() {
  docker run --rm --network none "$1" nginx -V 2>&1 | grep -qw -e --with-http_v3_module ||
    fail "berth:firewall.http3 is true, and nginx of $1 does not speak HTTP/3; pin an edge image whose nginx was built --with-http_v3_module, or write http3: false"
  : >"$root/http3"
  [ -n "$(inspect "$name" '{{.Id}}')" ] || return 0
  # shellcheck disable=SC2016 # a template
  inspect "$name" '{{range $port, $to := .HostConfig.PortBindings}}{{$port}} {{end}}' | grep -qwF 443/udp ||
    fail "berth:firewall.http3 is true, and this host's edge was set up without UDP port 443; run \`$self reopen\` on it, which answers nobody for some seconds, and pulumi up again, or write http3: false"
}

reopen() {
  : >"$root/http3"
  # shellcheck disable=SC2016 # a template
  joined=$(inspect "$name" '{{range $name, $end := .NetworkSettings.Networks}}{{$name}}={{$end.NetworkID}} {{end}}')
  docker ps --all --quiet --filter "label=berth.edge=$name" | xargs -r docker rm --force --volumes >/dev/null
  namespace_container "$(cat "$root/image")"
  for one in $joined; do [ "${one%%=*}" = "$name" ] || join "${one%%=*}" "${one#*=}"; done
  settle
}

runtime() {
  mkdir -p "$root/versions" "$root/generations" "$root/webroot" "$root/acme"
  [ -n "$(docker image inspect -f '{{.Id}}' "$1" 2>/dev/null)" ] || docker pull --quiet "$1" >/dev/null
  fits "$4"
  if [ "${7-}" = http3 ]; then http3 "$1"; else rm -f "$root/http3"; fi
  namespace_container "$1"
  join "$2" "$3"
  before=$(cat "$root/image" 2>/dev/null || echo "$1")
  write "$root/image" "$1"
  write "$root/limits" "$4 $5 $6"
  if [ -e "$root/live" ] && ! { "$self" check live && "$self" settle; }; then
    write "$root/image" "$before"
    fail "nginx of $1 cannot serve; $before goes on"
  fi
  [ ! -d /run/systemd/system ] || supervise
}

differs() {
  for one in $(generations); do
    # Read anew for each: a generation may have ended meanwhile.
    has=$(confinement "$name-$one")
    [ -z "$has" ] || [ "$has" = "$(limits "$@")" ] ||
      echo "differs: nginx (generation $one) has $(limits_in_words "$has"), not $(limits_in_words "$(limits "$@")")"
  done
}

# unpack DIRECTORY <files: each after a line with its path
unpack() { (cd "$1" && awk '/^==> .* <==$/ { file = $2; printf "" >file; next } { print >file }'); }

asks() { grep -q '^ *ssl_verify_client ' "$1/sites/$system.conf"; }
demands() { grep -q '^ *ssl_verify_client on;' "$1/sites/$system.conf"; }

# Whose word about visitors the candidate takes: the networks that came with it, until the host has heard of others.
believe() {
  [ ! -s "$ranges" ] || sed 's/.*/set_real_ip_from &;/' "$ranges" >"$candidate/ranges.conf"
}

ranges() {
  [ -e "$root/live" ] || return 0
  begin
  believe
  commit
}

site() {
  system=$1
  shift
  begin
  # Files of berth's are replaced as a whole, so that what it no longer writes is gone.
  rm -rf "$candidate/listen" "$candidate/nginx.conf" "$candidate/sites/$system.client-ca.pem"
  mkdir -p "$candidate/listen/warm" "$candidate/listen/open"
  unpack "$candidate"
  # Nobody shows a certificate who was not asked for it; to demand one before it was seen locks all visitors out.
  if demands "$candidate" && [ -e "$root/live/sites/$system.conf" ] && ! asks "$root/live"; then
    fail "sites of $system demand a client certificate that they have not asked for yet; write stage: presented below berth:cloudflare.originPulls, run \`pulumi up\`, and write demanded once the access log has \"clientCertificate\":\"SUCCESS\""
  fi
  believe
  only "$system" "$@"
  for wanted in "$@"; do
    unshelve "$system-${wanted%%=*}"
    certificate_files "$system" "${wanted%%=*}" "${wanted#*=}"
  done
  commit
  measure
  await 10 serves "$system" || fail "nginx does not show the certificates of $system"
}

remove() {
  for one in $(served_certificates); do
    [ "${one%%/*}" != "$1" ] || shelve "$1-${one#*/}"
  done
  [ -e "$root/live/sites/$1.conf" ] || return 0
  begin
  rm -rf "$candidate/sites/$1.conf" "$candidate/sites/$1.client-ca.pem" "$candidate/certificates/$1"
  commit
  measure
}

leave() {
  # shellcheck disable=SC2016 # a template
  if inspect "$name" '{{range $name, $end := .NetworkSettings.Networks}}{{$name}} {{end}}' | grep -qwF "$1"; then
    docker network disconnect --force "$1" "$name"
  fi
  [ -z "$(sites)" ] || return 0
  if [ -e "/etc/systemd/system/$name.service" ]; then
    systemctl disable --quiet --now "$name.service"
    rm -f "/etc/systemd/system/$name.service" /etc/systemd/system/certbot.service.d/berth.conf
    systemctl daemon-reload
  fi
  docker ps --all --quiet --filter "label=berth.edge=$name" | xargs -r docker rm --force --volumes >/dev/null
  docker network ls --quiet --filter "label=berth.edge=$name" | xargs -r docker network rm >/dev/null
  rm -rf "$root" "$metrics/certificates.prom"
  say "no site is left: removed"
}

# Ends when the namespace does; systemd then starts it again.
watch() {
  docker start "$name" >/dev/null
  "$self" settle
  docker wait "$name" >/dev/null
}

verb=$1
shift
case $verb in
  runtime | reopen | site | ranges | remove | leave | settle | check)
    lock
    "$verb" "$@" ;;
  certificate | request | issued | renewed | upkeep | renew | revoke | watch | differs) "$verb" "$@" ;;
  *) fail "unknown verb: $verb" ;;
esac
