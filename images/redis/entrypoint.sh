#!/bin/sh
# Starts redis-server with the arguments given and the password from a file.
set -eu

if [ -z "${REDIS_PASSWORD_FILE:-}" ]; then
  exec redis-server --bind '* -::*' --dir /data "$@"
fi
if [ ! -r "$REDIS_PASSWORD_FILE" ]; then
  echo "REDIS_PASSWORD_FILE: cannot read $REDIS_PASSWORD_FILE; mount the secret or change the variable" >&2
  exit 1
fi

# An argument would show in every process list; /tmp is in memory when the root file system is read-only.
configuration=/tmp/redis-password.conf
umask 077
{
  printf 'requirepass "'
  sed 's/[\\"]/\\&/g' "$REDIS_PASSWORD_FILE" | tr -d '\n'
  printf '"\n'
} >"$configuration"
exec redis-server "$configuration" --bind '* -::*' --dir /data "$@"
