# Managed by berth: clickhouse
set -eu
umask 077
prepare() {
  set -eu
  trap 'test -e /tmp/prepared || echo "berth: clickhouse could not be prepared, see above" >&2' EXIT
  until clickhouse-client --config-file=/run/secrets/clickhouse-client.xml --query "SELECT 1" >/dev/null 2>&1; do sleep 0.2; done
  clickhouse-client --config-file=/run/secrets/clickhouse-client.xml --query "CREATE DATABASE IF NOT EXISTS events"
  clickhouse-client --config-file=/run/secrets/clickhouse-client.xml --query "CREATE DATABASE IF NOT EXISTS archive"
  : >/tmp/prepared
}
# In a shell whose parent is gone: the server is not to find a child that it does not know.
( (prepare) & )
exec clickhouse-server --config-file=/run/secrets/clickhouse.xml "$@"
