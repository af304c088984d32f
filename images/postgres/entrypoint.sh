#!/bin/sh
# Initialises the data directory once, sets the role's password from its file, then becomes the server.
set -eu
umask 077

: "${PGDATA:?PGDATA: not set; name the data directory}"
: "${POSTGRES_USER:?POSTGRES_USER: not set; name the role that owns the database}"
database="${POSTGRES_DB:-$POSTGRES_USER}"
if [ ! -r "${POSTGRES_PASSWORD_FILE:-}" ]; then
  echo "POSTGRES_PASSWORD_FILE: cannot read \"${POSTGRES_PASSWORD_FILE:-}\"; mount the secret or change the variable" >&2
  exit 1
fi

# Single-user mode takes statements from standard input: no server listens yet, and no argument shows a secret.
# Nor does the log: a failed statement would be quoted in it.
# After a kill, the lock file names this shell's process number, as every start of the container gives the same ones:
# PostgreSQL must know that this one is an ancestor, not another server.
single() {
  PG_GRANDPARENT_PID=$$ postgres --single -j -D "$1" \
    -c exit_on_error=on -c log_min_error_statement=panic postgres >/dev/null
}
statement() { printf '%s;\n\n' "$1"; }
literal() { printf "'%s'" "$(sed "s/'/''/g" "$1" | tr -d '\n')"; }

# The directory is a mount point and cannot be swapped as a whole. So it is made below itself, marked complete, and
# moved up with PG_VERSION last: interrupted anywhere, the next start goes on or begins again.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  new="$PGDATA/.new"
  if [ ! -e "$new.complete" ]; then
    rm -rf "$new"
    initdb --pgdata "$new" --username postgres --auth-local trust --auth-host scram-sha-256 \
      --encoding UTF8 --data-checksums >/dev/null
    echo "host all all all scram-sha-256" >>"$new/pg_hba.conf"
    {
      statement "CREATE ROLE \"$POSTGRES_USER\" LOGIN"
      statement "CREATE DATABASE \"$database\" OWNER \"$POSTGRES_USER\""
    } | single "$new"
    touch "$new.complete"
  fi
  for entry in "$new"/*; do
    case "$entry" in
      */PG_VERSION) ;;
      *) mv "$entry" "$PGDATA/" ;;
    esac
  done
  mv "$new/PG_VERSION" "$PGDATA/"
  rm -rf "$new" "$new.complete"
  echo "initialised $PGDATA with role $POSTGRES_USER and database $database"
fi

# At every start, so that a rotated secret is the role's password from then on.
statement "ALTER ROLE \"$POSTGRES_USER\" PASSWORD $(literal "$POSTGRES_PASSWORD_FILE")" | single "$PGDATA"

exec postgres -D "$PGDATA" -c "listen_addresses=*" -c "logging_collector=off" "$@"
