import { createHash } from "node:crypto";
import { knownCron, onCalendar, type Cron } from "../shared/cron.ts";
import { milliseconds } from "../shared/duration.ts";
import { quote } from "../shared/shell.ts";
import { jobOptions, type JobScript } from "./job.render.ts";

/** What runs at set times. */
export interface ScheduleScript extends JobScript {
  /** Five fields, as the configuration lets them through. */
  readonly cron: string;
  /** Name of the tz database. */
  readonly timeZone: string;
}

/**
 * Label of everything that a schedule keeps in the swarm; its value is the schedule's physical name. Further ones begin
 * with it:
 *
 * - `.cron` and `.zone`, of one config: the schedule as it was last set up
 * - `.claim`, of one config a run: who runs it
 * - `.result`, of the config `<run>-over`: `done`, `failed` or `skipped`, with words about it as its data
 * - `.run` and `.deadline` (seconds since 1970), of the swarm service of a run
 */
export const scheduleLabel = "berth.schedule";

/** What Docker takes as a name has 64 characters, of which a run's time and `-over` take 21. */
const maxPrefixLength = 43;

/** What the names of a schedule's configs begin with. */
export function configPrefix(name: string): string {
  if (name.length <= maxPrefixLength) return name;
  const identity = createHash("sha256").update(name).digest("hex").slice(0, 8);
  return `${name.slice(0, maxPrefixLength - identity.length - 1)}-${identity}`;
}

const programOf = (name: string): string => `/var/lib/berth/schedules/${name}`;
const unitOf = (name: string): string => `berth-schedule-${name}`;

/** What a manager host is asked to do when it is to run the schedule no more. */
export function undoSchedule(name: string): string {
  return `sh -c ${quote(`[ ! -e ${programOf(name)} ] || ${programOf(name)} remove`)}`;
}

/** Writes down in the swarm what is run when, and since when, for whoever asks whether it is. */
export function renderPlan(schedule: ScheduleScript): string {
  const { name, cron, timeZone } = schedule;
  // Docker's names of secrets are others at each preview of what is not there yet.
  const secrets = schedule.secrets.map((secret) => ({ ...secret, secretName: secret.name }));
  const identity = createHash("sha256")
    .update(renderProgram({ ...schedule, secrets }))
    .digest("hex")
    .slice(0, 12);
  return `# Managed by berth: schedule ${name}
set -eu
plan=${quote(`${configPrefix(name)}-plan-${identity}`)}
if ! docker config inspect "$plan" >/dev/null 2>&1; then
  echo ${quote(cron)} | docker config create --label ${scheduleLabel}=${name} --label ${quote(`${scheduleLabel}.cron=${cron}`)} \\
    --label ${quote(`${scheduleLabel}.zone=${timeZone}`)} "$plan" - >/dev/null
fi
docker config ls --filter label=${scheduleLabel}=${name} --filter label=${scheduleLabel}.cron --format '{{.Name}}' |
  while read -r one; do
    [ "$one" = "$plan" ] || docker config rm "$one" >/dev/null
  done
echo ${quote(`runs at ${cron} ${timeZone}`)}
`;
}

/** Takes away what a schedule has in the swarm, a run under way included. */
export function renderForgetSchedule(name: string): string {
  const filter = `--quiet --filter ${quote(`label=${scheduleLabel}=${name}`)}`;
  return ["service", "config"].map((what) => `docker ${what} ls ${filter} | xargs -r docker ${what} rm`).join("; ");
}

/** Functions that set the schedule up on a manager host: its program, and the timer that starts it. */
export function renderSetUp(schedule: ScheduleScript): string {
  const { name, cron, timeZone } = schedule;
  const [program, unit] = [programOf(name), unitOf(name)];
  const service = (verb: string): string => `[Unit]
Description=berth: schedule ${name}, ${verb}
Wants=docker.service
After=docker.service

[Service]
Type=oneshot
ExecStart=${program} ${verb}
`;
  const zone =
    timeZone === "UTC"
      ? ""
      : `  [ -e ${quote(`/usr/share/zoneinfo/${timeZone}`)} ] ||
    refuse ${quote(`${name}: the time zone ${timeZone} is not known here; install the package tzdata`)}
`;
  return `main() {
${zone}  place ${program} <<'BERTH_PROGRAM'
${renderProgram(schedule)}BERTH_PROGRAM
  chmod 700 ${program}
  place /etc/systemd/system/${unit}.service <<'BERTH_UNIT'
${service("tick")}BERTH_UNIT
  place /etc/systemd/system/${unit}-end.service <<'BERTH_UNIT'
${service("follow")}BERTH_UNIT
  place /etc/systemd/system/${unit}.timer <<'BERTH_UNIT'
[Unit]
Description=berth: schedule ${name}

[Timer]
${onCalendar(knownCron(cron), timeZone)
  .map((times) => `OnCalendar=${times}\n`)
  .join("")}AccuracySec=1s
Persistent=false

[Install]
WantedBy=timers.target
BERTH_UNIT
  systemctl daemon-reload
  systemctl enable --quiet ${unit}.timer
  systemctl restart ${unit}.timer
  # A run that a lost manager has left behind would keep the swarm from removing its secrets.
  systemctl start --no-block ${unit}-end.service
}
`;
}

/**
 * The program of a schedule on a manager host. The managers agree by a config whose name is the run's: names are unique
 * in the swarm's store, so one of them makes it. One run at a time is kept by the fixed name of its swarm service.
 */
export function renderProgram(schedule: ScheduleScript): string {
  const { name, image, command, timeout, timeZone, cron } = schedule;
  return `#!/bin/sh
# Managed by berth: schedule ${name}.
#
#   tick    what the timer starts: run it, if it is due and no other manager does
#   now     run it by hand, and wait for its end
#   follow  wait for the end of the run under way, and record it
#   remove  take the schedule off this host
set -eu
export LC_ALL=C
name=${quote(name)}
prefix=${quote(configPrefix(name))}
label=${scheduleLabel}
timeout=${Math.ceil(milliseconds(timeout) / 1000)}
unit=${unitOf(name)}

say() { printf '%s\\n' "$*"; }

# allowed VALUE VALUES
allowed() {
  case " $2 " in *" $1 "*) ;; *) return 1 ;; esac
}

# A timer that fires late, for whatever reason, skips the run: it is another minute then.
due() {
  # shellcheck disable=SC2034 # not every schedule asks for all of them
  TZ=${quote(timeZone)} date -d "@$moment" '+%-M %-H %-d %-m %w' | {
    read -r minute hour day month weekday
${dueChecks(knownCron(cron))
  .map((check) => `    ${check} || exit 1\n`)
  .join("")}  }
}

start() {
  docker service create --name "$name" --label "$label=$name" --label "$label.run=$run" \\
    --label "$label.deadline=$(($(date +%s) + timeout))" \\
    ${jobOptions(schedule).join(" \\\n    ")} \\
    ${[quote(image), ...command.map(quote)].join(" ")}
}

# claim: whether this manager is the one that runs $run; without a leader nobody can say, for a while
claim() {
  own=$(cat /proc/sys/kernel/random/uuid)
  patience=$(($(date +%s) + 60))
  while :; do
    # Who made it, if anybody, is asked for in any case: an answer may be lost.
    said=$(echo "$own" | docker config create --label "$label=$name" --label "$label.claim=$own" "$run" - 2>&1 >/dev/null) &&
      said='it was made, and is gone'
    if owner=$(docker config inspect --format "{{index .Spec.Labels \\"$label.claim\\"}}" "$run" 2>/dev/null); then
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
  printf '%s\\n' "$2\${3:+: $3}" |
    docker config create --label "$label=$name" --label "$label.result=$2" "$1-over" - >/dev/null 2>&1 ||
    docker config inspect "$1-over" >/dev/null 2>&1 || return 2
  say "$1: $2\${3:+: $3}"
}

# forget AFTER BEFORE: what is kept of runs between these two, but not what a late manager may yet try to claim
forget() {
  docker config ls --filter "label=$label=$name" --format '{{.Name}}' |
    awk -v after="$1" -v before="$2" -v late="$prefix-$(date -u -d '10 minutes ago' +%Y%m%dT%H%M)" \\
      '$0 > after && $0 < before && $0 < late' |
    xargs -r docker config rm >/dev/null
}

# settle: records the end of a run that is over and removes it. 0: none is left; 1: one is under way, $current; 2: no
# answer. By its id, so that nobody removes the next one.
settle() {
  id=$(docker service ls --quiet --filter "label=$label=$name") || return 2
  [ -n "$id" ] || return 0
  labels=$(docker service inspect --format "{{index .Spec.Labels \\"$label.run\\"}} {{index .Spec.Labels \\"$label.deadline\\"}}" "$id") ||
    return 2
  current=\${labels% *}
  task=$(docker service ps --no-trunc --format '{{.CurrentState}}: {{.Error}}' "$id") || return 2
  task=$(printf '%s\\n' "$task" | sed 's/: *$//;q')
  case "$task" in
    Complete*) over "$current" 'done' '' || return 2 ;;
    Failed* | Rejected* | Orphaned* | Remove*) lost "$task" || return 2 ;;
    *)
      [ "$(date +%s)" -ge "\${labels#* }" ] || return 1
      lost "not done within its timeout of ${timeout}: $task" || return 2
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
case "\${1-}" in
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
    [ "$(docker config inspect --format "{{index .Spec.Labels \\"$label.result\\"}}" "$asked-over")" = 'done' ]
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
`;
}

/** Tests of a shell, all of which hold when it is time. */
function dueChecks({ minute, hour, day, month, weekday }: Cron): string[] {
  const check = (field: string, values: readonly number[] | undefined): string[] =>
    values ? [`allowed "$${field}" '${values.join(" ")}'`] : [];
  const days = [...check("day", day), ...check("weekday", weekday)];
  return [
    ...check("minute", minute),
    ...check("hour", hour),
    ...check("month", month),
    ...(days.length === 2 ? [`{ ${days.join(" || ")}; }`] : days),
  ];
}
