# Managed by berth: job palmistry-migrate
set -eu
name='palmistry-migrate'
marker='palmistry-migrate-941a834004f7dcaa'
image='registry.test:5000/palmistry-api:1.0.0@sha256:0000'

if docker config inspect "$marker" >/dev/null 2>&1; then
  echo "ran before for $image"
  exit 0
fi

remove() { docker service rm "$name" >/dev/null; }
if docker service inspect "$name" >/dev/null 2>&1; then remove; fi
docker service create --name "$name" --label 'berth.job'="$name" \
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
  --network 'palmistry-data' \
  --secret 'source=database-url-1a2b3c,target=DATABASE_URL,mode=0444' \
  --env 'LOG_LEVEL=INFO' \
  --env 'DATABASE_URL_FILE=/run/secrets/DATABASE_URL' \
  "$image" 'berth-app' 'migrate' 'it'\''s' >/dev/null
trap remove EXIT

deadline=$(($(date +%s) + 2))
while :; do
  task=$(docker service ps --no-trunc --format '{{.CurrentState}}: {{.Error}}' "$name" | head -n 1)
  case "$task" in
    Complete*) break ;;
    Failed* | Rejected* | Orphaned* | Remove*) reason="job failed: $task" ;;
    *) if [ "$(date +%s)" -ge "$deadline" ]; then reason="job not done within its timeout of 2 seconds: $task"; else reason=; fi ;;
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
printf "%s\n" "$image" | docker config create --label 'berth.job'="$name" "$marker" - >/dev/null
echo "ran for $image"
