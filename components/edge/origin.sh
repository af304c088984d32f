# --- certificates by Cloudflare's Origin CA ---------------------------------------------------------------------
# A part of host.sh, whose names and settings it uses.
#
# The key is made here and never leaves the host: `pulumi up` takes the request for a certificate to Cloudflare, and
# brings what was signed. Below $secrets/origin/SYSTEM-CERTIFICATE:
#   ID/       a key: privkey.pem, request.pem, and fullchain.pem once it is there; ID is a digest of what was asked for
#   serving   link to the one that is served

origin() { echo "$secrets/origin/$1-$2"; }
by_origin() { [ -e "$secrets/origin/$1/serving/privkey.pem" ]; }

# request SYSTEM CERTIFICATE KEY GENERATION NAME...: one key and request for the same wish, however often it is made
request() {
  place=$(origin "$1" "$2")/$(printf '%s\n' "$@" | sha256sum | cut -c 1-12)
  if [ ! -e "$place/request.pem" ]; then
    case $3 in
      ecdsa-p256) kind='ec -pkeyopt ec_paramgen_curve:P-256' ;;
      rsa-*) kind=rsa:${3#rsa-} ;;
      *) fail "the Origin CA signs no key of the kind $3" ;;
    esac
    system=$1
    shift 4
    mkdir -p "$secrets"
    chmod 700 "$secrets"
    mkdir -p "$place"
    # What it says of names, the Origin CA takes from elsewhere.
    # shellcheck disable=SC2046,SC2086 # names have no blanks; an option with its value
    if ! said=$(umask 077 && openssl req -new -newkey $kind -nodes -sha256 -subj "/CN=$system" \
      -addext "subjectAltName=$(printf ',DNS:%s' "$@" | cut -c 2-)" \
      -keyout "$place/privkey.pem" -out "$place/request.new" 2>&1); then
      printf '%s\n' "$said" >&2
      fail "openssl made no key"
    fi
    mv "$place/request.new" "$place/request.pem"
  fi
  cat "$place/request.pem"
}

public_key() { openssl pkey -in "$1" -pubout 2>/dev/null; }

# issued SYSTEM CERTIFICATE <certificate: serve what was signed for a request
issued() {
  lock
  base=$(origin "$1" "$2")
  signed=$(cat)
  wanted=$(printf '%s\n' "$signed" | openssl x509 -noout -pubkey 2>/dev/null) || fail "that is no certificate"
  place=
  for one in "$base"/*/privkey.pem; do
    [ ! -e "$one" ] || [ "$(public_key "$one")" != "$wanted" ] || place=$(dirname "$one")
  done
  [ -n "$place" ] || fail "this host has no key for that certificate of $1; raise berth:certificates.$2.generation by one"
  # The link is no place of its own.
  place=$base/$(basename "$(readlink -f "$place")")
  write "$place/fullchain.pem" "$signed"
  point "$base/serving" "$(basename "$place")"
  # certbot renews nothing that is not served.
  rm -f "$secrets/$1-$2.ini" "$root/acme/$1-$2.pem"
  set_aside "$1-$2"
  mkdir -p "$root/acme"
  attempted "$1-$2"
  keep_fresh
  renewed "$1"
  find "$base" -mindepth 1 -maxdepth 1 -type d ! -path "$place" -exec rm -rf {} +
  say "certificate $2 of $1: $(openssl x509 -noout -enddate -in "$place/fullchain.pem")"
}
