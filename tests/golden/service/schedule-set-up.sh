main() {
  [ -e '/usr/share/zoneinfo/Europe/Berlin' ] ||
    refuse 'shop-upkeep: the time zone Europe/Berlin is not known here; install the package tzdata'
  place /var/lib/berth/schedules/shop-upkeep <<'BERTH_PROGRAM'
#!/bin/sh
# Managed by berth: schedule shop-upkeep.
#
#   tick    what the timer starts: run it, if it is due and no other manager does
#   now     run it by hand, and wait for its end
#   follow  wait for the end of the run under way, and record it
#   remove  take the schedule off this host
set -eu
export LC_ALL=C
name='shop-upkeep'
prefix='shop-upkeep'
label=berth.schedule
timeout=5400
unit=berth-schedule-shop-upkeep

say() { printf '%s\n' "$*"; }

# allowed VALUE VALUES
allowed() {
  case " $2 " in *" $1 "*) ;; *) return 1 ;; esac
}

# A timer that fires late, for whatever reason, skips the run: it is another minute then.
due() {
  # shellcheck disable=SC2034 # not every schedule asks for all of them
  TZ='Europe/Berlin' date -d "@$moment" '+%-M %-H %-d %-m %w' | {
    read -r minute hour day month weekday
    allowed "$minute" '30' || exit 1
    allowed "$hour" '3' || exit 1
    { allowed "$day" '1 15' || allowed "$weekday" '1'; } || exit 1
  }
}

start() {
  docker service create --name "$name" --label "$label=$name" --label "$label.run=$run" \
    --label "$label.deadline=$(($(date +%s) + timeout))" \
    --mode replicated-job \
    --detach \
    --no-resolve-image \
    --restart-condition none \
    --no-healthcheck \
    --init \
    --user '1000:1000' \
    --read-only \
    --mount type=tmpfs,target=/tmp,tmpfs-size=67108864 \
    --cap-drop ALL \
    --limit-memory 268435456 \
    --limit-cpu 0.5 \
    --network 'shop-data' \
    --secret 'source=database-url-1a2b3c,target=DATABASE_URL,mode=0444' \
    --env 'LOG_LEVEL=INFO' \
    --env 'DATABASE_URL_FILE=/run/secrets/DATABASE_URL' \
    'registry.test:5000/shop-api:1.0.0@sha256:0000' 'sh' '-c' 'echo it'\''s
exit 0'
}

# claim: whether this manager is the one that runs $run; without a leader nobody can say, for a while
claim() {
  own=$(cat /proc/sys/kernel/random/uuid)
  patience=$(($(date +%s) + 60))
  while :; do
    # Who made it, if anybody, is asked for in any case: an answer may be lost.
    said=$(echo "$own" | docker config create --label "$label=$name" --label "$label.claim=$own" "$run" - 2>&1 >/dev/null) &&
      said='it was made, and is gone'
    if owner=$(docker config inspect --format "{{index .Spec.Labels \"$label.claim\"}}" "$run" 2>/dev/null); then
      [ "$owner" = "$own" ]
      return
    fi
    if [ "$(date +%s)" -ge "$patience" ]; then
      say "$run: the swarm has not answered for a minute: $said" >&2
      exit 1
    fi
    sleep 0.5
  done
}

# over RUN RESULT WORDS: how a run ended, for whoever asks
over() {
  printf '%s\n' "$2${3:+: $3}" |
    docker config create --label "$label=$name" --label "$label.result=$2" "$1-over" - >/dev/null 2>&1 ||
    docker config inspect "$1-over" >/dev/null 2>&1 || return 2
  say "$1: $2${3:+: $3}"
}

# forget AFTER BEFORE: what is kept of runs between these two, but not what a late manager may yet try to claim
forget() {
  docker config ls --filter "label=$label=$name" --format '{{.Name}}' |
    awk -v after="$1" -v before="$2" -v late="$prefix-$(date -u -d '10 minutes ago' +%Y%m%dT%H%M)" \
      '$0 > after && $0 < before && $0 < late' |
    xargs -r docker config rm >/dev/null
}

# settle: records the end of a run that is over and removes it. 0: none is left; 1: one is under way, $current; 2: no
# answer. By its id, so that nobody removes the next one.
settle() {
  id=$(docker service ls --quiet --filter "label=$label=$name") || return 2
  [ -n "$id" ] || return 0
  labels=$(docker service inspect --format "{{index .Spec.Labels \"$label.run\"}} {{index .Spec.Labels \"$label.deadline\"}}" "$id") ||
    return 2
  current=${labels% *}
  task=$(docker service ps --no-trunc --format '{{.CurrentState}}: {{.Error}}' "$id") || return 2
  task=$(printf '%s\n' "$task" | sed 's/: *$//;q')
  case "$task" in
    Complete*) over "$current" 'done' '' || return 2 ;;
    Failed* | Rejected* | Orphaned* | Remove*) lost "$task" || return 2 ;;
    *)
      [ "$(date +%s)" -ge "${labels#* }" ] || return 1
      lost "not done within its timeout of 90 minutes: $task" || return 2
      ;;
  esac
  forget '' "$current" || say 'what is kept of earlier runs could not be removed; the next run tries again' >&2
  docker service rm "$id" >/dev/null || return 2
}

# lost WORDS
lost() {
  {
    echo "$current: its last log lines:"
    timeout 20 docker service logs --raw --tail 20 "$id" 2>&1 | sed 's/^/  /'
  } >&2
  over "$current" failed "$1"
}

# settled: as settle, but patient with a swarm that does not answer
settled() {
  patience=$(($(date +%s) + 60))
  while :; do
    state=0
    settle || state=$?
    [ "$state" -eq 2 ] && [ "$(date +%s)" -lt "$patience" ] || return "$state"
    sleep 0.5
  done
}

# Starts $run, unless one is under way: then that is recorded.
begin() {
  if ! claim; then
    say "$run: another manager runs it"
    exit 0
  fi
  state=0
  settled || state=$?
  if [ "$state" -eq 0 ]; then
    said=$(start 2>&1) && return 0
    # One that was started in between has the name.
    settled || state=$?
    [ "$state" -ne 1 ] || [ "$current" != "$run" ] || return 0
  else
    said='the swarm does not answer'
  fi
  if [ "$state" -eq 1 ]; then
    over "$run" skipped "$current is under way"
    forget "$current-over" "$run"
    return 1
  fi
  over "$run" failed "could not be started: $said"
  exit 1
}

follow() {
  run=
  patience=$(($(date +%s) + timeout + 60))
  while :; do
    state=0
    settle || state=$?
    [ "$state" -ne 0 ] || return 0
    if [ "$(date +%s)" -ge "$patience" ]; then
      say 'the end of the run could not be recorded; the next one does it' >&2
      return 1
    fi
    sleep 1
  done
}

moment=$(date +%s)
case "${1-}" in
  tick)
    if ! due; then
      say 'too late for a run that was due; it is skipped'
      exit 0
    fi
    run=$prefix-$(date -u -d "@$moment" +%Y%m%dT%H%M)
    if begin; then systemctl start --no-block "$unit-end.service"; fi
    ;;
  now)
    run=$prefix-$(date -u -d "@$moment" +%Y%m%dT%H%M%S)
    begin || exit 1
    asked=$run
    follow
    [ "$(docker config inspect --format "{{index .Spec.Labels \"$label.result\"}}" "$asked-over")" = 'done' ]
    ;;
  follow) follow ;;
  remove)
    for one in "$unit.timer" "$unit.service" "$unit-end.service"; do
      if [ -e "/etc/systemd/system/$one" ]; then
        systemctl stop "$one"
        # One that was stopped at its work would be listed as failed for ever.
        if systemctl is-failed --quiet "$one"; then systemctl reset-failed "$one"; fi
        case "$one" in *.timer) systemctl disable --quiet "$one" ;; esac
        rm "/etc/systemd/system/$one"
      fi
    done
    systemctl daemon-reload
    rm -f "$0"
    ;;
  *)
    say "usage: $0 tick|now|follow|remove" >&2
    exit 2
    ;;
esac
BERTH_PROGRAM
  chmod 700 /var/lib/berth/schedules/shop-upkeep
  place /etc/systemd/system/berth-schedule-shop-upkeep.service <<'BERTH_UNIT'
[Unit]
Description=berth: schedule shop-upkeep, tick
Wants=docker.service
After=docker.service

[Service]
Type=oneshot
ExecStart=/var/lib/berth/schedules/shop-upkeep tick
BERTH_UNIT
  place /etc/systemd/system/berth-schedule-shop-upkeep-end.service <<'BERTH_UNIT'
[Unit]
Description=berth: schedule shop-upkeep, follow
Wants=docker.service
After=docker.service

[Service]
Type=oneshot
ExecStart=/var/lib/berth/schedules/shop-upkeep follow
BERTH_UNIT
  place /etc/systemd/system/berth-schedule-shop-upkeep.timer <<'BERTH_UNIT'
[Unit]
Description=berth: schedule shop-upkeep

[Timer]
OnCalendar=*-*-1,15 3:30:00 Europe/Berlin
OnCalendar=Mon *-*-* 3:30:00 Europe/Berlin
AccuracySec=1s
Persistent=false

[Install]
WantedBy=timers.target
BERTH_UNIT
  systemctl daemon-reload
  systemctl enable --quiet berth-schedule-shop-upkeep.timer
  systemctl restart berth-schedule-shop-upkeep.timer
  # A run that a lost manager has left behind would keep the swarm from removing its secrets.
  systemctl start --no-block berth-schedule-shop-upkeep-end.service
}
