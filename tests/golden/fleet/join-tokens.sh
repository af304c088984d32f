# Managed by berth: join tokens, generation 2
set -eu
for role in worker manager; do
  # What this prints is the new token.
  docker swarm join-token --rotate "$role" >/dev/null
done
echo 'changed: join tokens'
