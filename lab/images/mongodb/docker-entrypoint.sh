#!/bin/sh
# Starts FerretDB as the well-known image starts MongoDB: MONGO_INITDB_ROOT_USERNAME and
# MONGO_INITDB_ROOT_PASSWORD_FILE make a user when the volume is empty. Options are MongoDB's and are left aside.
set -eu
umask 077

case "${1:-mongod}" in
  mongod | -*) ;;
  *) exec "$@" ;;
esac
echo "FerretDB in place of MongoDB; left aside: $*"

: "${MONGO_INITDB_ROOT_USERNAME:?MONGO_INITDB_ROOT_USERNAME: not set; name the user}"
: "${MONGO_INITDB_ROOT_PASSWORD_FILE:?MONGO_INITDB_ROOT_PASSWORD_FILE: not set; mount the password}"
# Where the database is there already, nothing is set up.
FERRETDB_SETUP_DATABASE=admin
FERRETDB_SETUP_USERNAME=$MONGO_INITDB_ROOT_USERNAME
FERRETDB_SETUP_PASSWORD=$(cat "$MONGO_INITDB_ROOT_PASSWORD_FILE")
export FERRETDB_SETUP_DATABASE FERRETDB_SETUP_USERNAME FERRETDB_SETUP_PASSWORD
exec ferretdb --handler=sqlite --sqlite-url=file:/data/db/ --state-dir=/data/db --listen-addr=:27017 \
  --test-enable-new-auth --telemetry=disable --debug-addr=-
