/** New join tokens: whoever has seen the old ones can no longer join with them. Hosts in the swarm stay in it. */
export function renderJoinTokens(generation: number): string {
  return `# Managed by berth: join tokens, generation ${generation}
set -eu
for role in worker manager; do
  # What this prints is the new token.
  docker swarm join-token --rotate "$role" >/dev/null
done
echo 'changed: join tokens'
`;
}
