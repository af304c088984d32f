#!/bin/sh
# Initialises the data directory once, then becomes the server: what the well-known image of this name does, with the
# same variables, as far as berth asks for it.
set -eu
umask 077

: "${PGDATA:?PGDATA: not set; name the data directory}"
if [ "${1:-}" != postgres ]; then exec "$@"; fi

# The directory is a mount point and cannot be swapped as a whole. So it is made below itself, marked complete, and
# moved up with PG_VERSION last: interrupted anywhere, the next start goes on or begins again.
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  : "${POSTGRES_PASSWORD:?POSTGRES_PASSWORD: not set; give the superuser a password}"
  new="$PGDATA/.new"
  if [ ! -e "$new.complete" ]; then
    rm -rf "$new"
    # A pipe, for an argument would show in process lists.
    printf '%s\n' "$POSTGRES_PASSWORD" | initdb --pgdata "$new" --username "${POSTGRES_USER:-postgres}" \
      --pwfile /dev/stdin --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --data-checksums >/dev/null
    echo "host all all all scram-sha-256" >>"$new/pg_hba.conf"
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
  echo "initialised $PGDATA"
fi

# The server does not need it.
unset POSTGRES_PASSWORD
exec "$@"
