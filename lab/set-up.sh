#!/bin/sh
# Installs the Node packages, and with them the Node that everything here runs on. Quick when there is nothing to do.
# Prints to standard error alone: `npm run -s lab -- env` is evaluated by shells.
set -eu
cd "$(dirname "$0")/.."

stamp=node_modules/.berth-installed
if [ -f "$stamp" ] && cmp -s package-lock.json "$stamp"; then exit 0; fi

for program in node npm; do
  if ! command -v "$program" >/dev/null; then
    echo "set-up: $program: not on PATH; install Node 18 or newer with npm (Debian: apt-get install nodejs npm)" >&2
    exit 1
  fi
done
major=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
if [ "$major" -lt 18 ]; then
  echo "set-up: node: version 18 or newer is needed to install the packages, got $(node --version)" >&2
  exit 1
fi

echo "set-up: installing Node packages (npm ci)" >&2
npm ci --no-audit --no-fund --loglevel=error >&2
if ! node_modules/.bin/node --version >/dev/null 2>&1; then
  # The `node` package fetches its binary in a script of its own; some configurations forbid scripts.
  echo "set-up: node_modules/.bin/node: does not run; allow install scripts (npm config get ignore-scripts) and try again" >&2
  exit 1
fi
# The stamp is the lock file itself, written last: an interrupted installation is repeated.
cp package-lock.json "$stamp"
