# Managed by berth: store main, for release 0123
set -eu
fail() {
  echo "main: $1" >&2
  exit 1
}
ca=

reach() {
  # The inner shell expands it.
  # shellcheck disable=SC2016
  timeout 10 bash -c 'exec 3<>"/dev/tcp/$1/$2"' reach "$1" "$2" 2>/dev/null ||
    fail "cannot be reached at $1:$2 from $(uname -n); check the URL, and the provider's list of allowed addresses"
}
encrypted() {
  place=$1
  shift
  said=$(timeout 15 openssl s_client -connect "$place" -verify_return_error "$@" \
    ${ca:+-CAfile "$ca"} </dev/null 2>&1) && return
  fail "shows no valid certificate at $place; $(printf '%s\n' "$said" | grep -i -m 1 error || echo 'it speaks no TLS')"
}
reach 'db.test' 6543
encrypted 'db.test:6543' '-servername' 'db.test' '-verify_hostname' 'db.test' '-starttls' 'postgres'
echo "reached"
