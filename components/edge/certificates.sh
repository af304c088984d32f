# --- certificates by certbot ------------------------------------------------------------------------------------
# A part of host.sh, whose names and settings it uses.

# certbot knows a certificate by the system and its own name; systems' names are no beginnings of each other's.
lineage() { echo "/etc/letsencrypt/live/$1-$2"; }
renewal() { echo "/etc/letsencrypt/renewal/$1-$2.conf"; }
served_certificates() { find "$root/live/certificates" -mindepth 2 -maxdepth 2 -type d -printf '%P\n' 2>/dev/null | sort; }
expiry() { date -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)" +%s; }
issue() { date -d "$(openssl x509 -noout -startdate -in "$1" | cut -d= -f2)" +%s; }
# Nobody issued a placeholder but itself.
placeholder() { [ "$(openssl x509 -noout -issuer -in "$1")" = 'issuer=CN = placeholder' ]; }

# certificate_files SYSTEM CERTIFICATE [NAME,...]: the candidate gets the certificate that there is: of the Origin CA,
# else certbot's, else the one that is served, else a placeholder.
certificate_files() {
  files=$candidate/certificates/$1/$2
  mkdir -p "$files"
  from=$(lineage "$1" "$2")
  ! by_origin "$1-$2" || from=$(origin "$1" "$2")/serving
  if [ -e "$from/privkey.pem" ]; then
    cat "$from/fullchain.pem" >"$files/fullchain.pem"
    (umask 077 && cat "$from/privkey.pem" >"$files/privkey.pem")
  elif [ ! -e "$files/privkey.pem" ]; then
    alternatives=$(printf '%s' "$3" | sed 's/^/DNS:/; s/,/,DNS:/g')
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj "/CN=placeholder" \
      -addext "subjectAltName=$alternatives" -keyout "$files/privkey.pem" -out "$files/fullchain.pem" 2>/dev/null)
  fi
}

# only SYSTEM CERTIFICATE=NAMES...: the candidate loses the system's other certificates, and certbot renews them no more
only() {
  system=$1
  shift
  mkdir -p "$candidate/certificates/$system"
  find "$candidate/certificates/$system" -mindepth 1 -maxdepth 1 -printf '%f\n' | while read -r there; do
    case " $*" in *" $there="*) continue ;; esac
    shelve "$system-$there"
    rm -rf "$candidate/certificates/$system/$there"
  done
}

# shows HOST FILE: visitors of the host are shown the certificate in the file
shows() {
  address=$(inspect "$name" "{{(index .NetworkSettings.Networks \"$name\").IPAddress}}")
  shown=$(openssl s_client -connect "$address:443" -servername "$1" </dev/null 2>/dev/null | openssl x509 -noout -fingerprint 2>/dev/null)
  [ -n "$shown" ] && [ "$shown" = "$(openssl x509 -noout -fingerprint -in "$2")" ]
}

# Visitors of the system's sites are shown their certificates; one site of each certificate is asked.
serves() {
  sed -n 's/^ *server_name \([^ ;]*\).*/name \1/p; s/^ *ssl_certificate \([^ ;]*\);/file \1/p' "$root/live/sites/$1.conf" |
    awk '$1 == "name" { host = $2 } $1 == "file" && !seen[$2]++ { print host, $2 }' |
    while read -r host file; do shows "$host" "$root/live/$file" || exit 1; done
}

# CAs of ACME directories. Only certbot trusts them: the host as a whole does not come to.
bundle() {
  unset REQUESTS_CA_BUNDLE
  [ -n "$(find "$root/acme" -name '*.pem')" ] || return 0
  cat /etc/ssl/certs/ca-certificates.crt "$root"/acme/*.pem >"$root/acme/bundle"
  REQUESTS_CA_BUNDLE=$root/acme/bundle
  export REQUESTS_CA_BUNDLE
}

# run_certbot ARGUMENT...: what it says is in $said. An authority that does not answer must not hold a rollout for ever.
run_certbot() {
  bundle
  [ ! -e "$secrets/cloudflare-api" ] || CLOUDFLARE_API_URL=$(cat "$secrets/cloudflare-api")
  export CLOUDFLARE_API_URL="${CLOUDFLARE_API_URL-https://api.cloudflare.com/client/v4}"
  until_when=$(($(date +%s) + 300))
  while :; do
    status=0
    said=$(timeout --kill-after=10 "$patience" certbot "$@" 2>&1) || status=$?
    # The distribution's timer, or another stack's `up`.
    case $status:$said in
      0:*) return 0 ;;
      *'Another instance of Certbot is already running'*) [ "$(date +%s)" -ge "$until_when" ] || { sleep 1; continue; } ;;
      124:* | 137:*) said="$said
no answer of the authority within $patience s" ;;
    esac
    return "$status"
  done
}

# Why certbot failed, in one line. When to come back is in the authority's words, or in a header that only the log has.
reason() {
  log=${logs:-/var/log/letsencrypt}/letsencrypt.log
  detail=$(printf '%s\n' "$said" | grep -iE 'retry after|rate.?limit|too many' | head -1)
  if [ -n "$detail" ]; then
    wait=$(tail -n 200 "$log" 2>/dev/null | tr -d '\r' | sed -n 's/^Retry-After: *//Ip' | tail -1)
    case $wait in
      '') ;;
      *[!0-9]*) wait="; not before $wait" ;;
      *) wait="; not before $(date -u -d "+$wait seconds" '+%Y-%m-%d %H:%M:%S UTC')" ;;
    esac
    echo "rate limit of the authority: $detail$wait"
  else
    printf '%s\n' "$said" | grep -E '^ *(Detail|Hint):|rror|no answer|refused|timed out' | head -1 | sed 's/^ *//'
  fi
}

# attempted SYSTEM-CERTIFICATE [REASON]: what came of the last try to get or renew it
attempted() {
  mkdir -p "$root/acme"
  write "$root/acme/$1.attempt" "$(date +%s) ${2:+failed }$(printf '%s' "${2-}" | tr '\n\t' '  ')"
}

# Renewal is due when a third of the lifetime is left; certbot's own 30 days are more than some certificates have.
due() {
  conf=$(renewal "$1" "$2")
  file=$(lineage "$1" "$2")/fullchain.pem
  [ -e "$conf" ] && [ -e "$file" ] || return 0
  before="renew_before_expiry = $((($(expiry "$file") - $(issue "$file")) / 3)) seconds"
  if ! grep -qxF "$before" "$conf"; then
    { echo "$before"; grep -vE '^#? *renew_before_expiry' "$conf"; } >"$conf.new"
    mv -f "$conf.new" "$conf"
  fi
}

# For a scrape: Prometheus' text format, written as a whole.
measure() {
  mkdir -p "$metrics"
  {
    for metric in expires_timestamp_seconds issued_timestamp_seconds placeholder last_attempt_timestamp_seconds last_attempt_failed; do
      echo "# TYPE berth_certificate_$metric gauge"
      for one in $(served_certificates); do
        file=$root/live/certificates/$one/fullchain.pem
        system=${one%%/*} certificate=${one#*/}
        when='' result=''
        [ ! -e "$root/acme/$system-$certificate.attempt" ] || read -r when result _ <"$root/acme/$system-$certificate.attempt"
        case $metric in
          expires*) value=$(expiry "$file") ;;
          issued*) value=$(issue "$file") ;;
          placeholder) value=0; ! placeholder "$file" || value=1 ;;
          *timestamp*) value=$when ;;
          *) value=; [ -z "$when" ] || { value=0; [ "$result" != failed ] || value=1; } ;;
        esac
        [ -z "$value" ] || echo "berth_certificate_$metric{system=\"$system\",certificate=\"$certificate\"} $value"
      done
    done
  } >"$metrics/certificates.$$"
  mv -f "$metrics/certificates.$$" "$metrics/certificates.prom"
}

# The distribution's timer starts its own service, which runs `edge upkeep` in the place of certbot alone.
keep_fresh() {
  [ -d /run/systemd/system ] || return 0
  dropin=/etc/systemd/system/certbot.service.d/berth.conf
  text="# Managed by berth: certbot with what it has to trust, and a record of what came of it.
[Service]
ExecStart=
ExecStart=$self upkeep"
  if [ "$(cat "$dropin" 2>/dev/null)" != "$text" ]; then
    mkdir -p "$(dirname "$dropin")"
    write "$dropin" "$text"
    systemctl daemon-reload
  fi
  systemctl enable --quiet --now certbot.timer
}

# --- verbs of certificates --------------------------------------------------------------------------------------

certificate() {
  system=$1 certificate=$2 key=$3 challenge=$4 directory=$5 email=$6
  id=$system-$certificate
  shift 6
  # What renews the certificate that there is stays in force until another one has taken its place.
  mkdir -p "$secrets" "$root/acme"
  chmod 700 "$secrets"
  rm -rf "$secrets/next" "$root/acme/$id.next.pem"
  mkdir -m 700 "$secrets/next"
  (umask 077 && unpack "$secrets/next")
  [ ! -e "$secrets/next/directory.pem" ] || mv "$secrets/next/directory.pem" "$root/acme/$id.next.pem"
  if [ "$challenge" = dns-01 ]; then
    mv "$secrets/next/cloudflare.ini" "$secrets/$id.ini"
    mv "$secrets/next/cloudflare-api" "$secrets/cloudflare-api"
    proof="--dns-cloudflare --dns-cloudflare-credentials $secrets/$id.ini --dns-cloudflare-propagation-seconds $propagation"
  else
    proof="--webroot --webroot-path $root/webroot"
  fi
  rm -rf "$secrets/next"
  case $key in
    ecdsa-p256) kind='--key-type ecdsa --elliptic-curve secp256r1' form='256 bit' ;;
    ecdsa-p384) kind='--key-type ecdsa --elliptic-curve secp384r1' form='384 bit' ;;
    rsa-*) kind="--key-type rsa --rsa-key-size ${key#rsa-}" form="${key#rsa-} bit" ;;
  esac
  take_up "$id"
  # certbot itself would keep a certificate of another authority, key or challenge until it expires.
  forced=
  conf=$(renewal "$system" "$certificate")
  if [ -e "$conf" ]; then
    authenticator=webroot
    [ "$challenge" = http-01 ] || authenticator=dns-cloudflare
    grep -qxF "server = $directory" "$conf" && grep -qxF "authenticator = $authenticator" "$conf" &&
      openssl x509 -noout -text -in "$(lineage "$system" "$certificate")/cert.pem" | grep -q "Public-Key: ($form)" ||
      forced=--force-renewal
  fi
  # shellcheck disable=SC2046,SC2086 # names have no blanks; options, or nothing
  if ! run_certbot certonly --non-interactive --agree-tos --no-eff-email --email "$email" --server "$directory" \
    $proof $kind --cert-name "$id" --keep-until-expiring --renew-with-new-domains $forced \
    --deploy-hook "$self renewed $system" $(printf -- '--domain %s ' "$@"); then
    printf '%s\n' "$said" >&2
    # It may have been issued all the same, and nginx did not take it in time.
    if [ -e "$conf" ] && grep -qxF "server = $directory" "$conf"; then adopt_authority; fi
    rm -f "$root/acme/$id.next.pem"
    why=$(reason)
    attempted "$id" "$why"
    measure
    fail "no certificate from $directory; the edge serves the one it had: $why"
  fi
  adopt_authority
  [ "$challenge" = dns-01 ] || rm -f "$secrets/$id.ini"
  rm -rf "$secrets/origin/$id"
  attempted "$id"
  due "$system" "$certificate"
  keep_fresh
  renewed "$system"
  say "certificate $certificate of $system: $(openssl x509 -noout -enddate -in "$(lineage "$system" "$certificate")/fullchain.pem")"
}

# What certbot trusts for the renewals of $id from now on.
adopt_authority() {
  rm -f "$root/acme/$id.pem"
  [ ! -e "$root/acme/$id.next.pem" ] || mv "$root/acme/$id.next.pem" "$root/acme/$id.pem"
}

renewed() {
  lock
  [ -e "$root/live/sites/$1.conf" ] || fail "no sites of $1 here"
  begin
  for one in $(served_certificates); do
    [ "${one%%/*}" != "$1" ] || certificate_files "$1" "${one#*/}"
  done
  commit
  measure
  await 10 serves "$1" || fail "nginx does not show the new certificate of $1"
}

# certbot goes through all that are due; what it says of each is kept.
upkeep() {
  failed=0
  run_certbot renew --no-random-sleep-on-renew || failed=$?
  printf '%s\n' "$said"
  all=$said
  for one in $(served_certificates); do
    system=${one%%/*} certificate=${one#*/}
    [ -e "$(renewal "$system" "$certificate")" ] || continue
    said=$(printf '%s\n' "$all" | sed -n "/Failed to renew certificate $system-$certificate with error:/p")
    if [ -n "$said" ]; then
      attempted "$system-$certificate" "$(reason)"
    else
      attempted "$system-$certificate"
      due "$system" "$certificate"
    fi
  done
  # A hook that failed is no failure to certbot.
  for system in $(served_certificates | cut -d/ -f1 | sort -u); do "$self" renewed "$system" || failed=1; done
  measure
  return "$failed"
}

not_of_origin() {
  ! by_origin "$1-$2" ||
    fail "certificate $2 of $1 is of Cloudflare's Origin CA; raise berth:certificates.$2.generation by one and run \`pulumi up\`, which revokes the one before"
}

# renew SYSTEM CERTIFICATE: another one now, with another key
renew() {
  not_of_origin "$1" "$2"
  [ -e "$(renewal "$1" "$2")" ] || fail "no certificate $2 of $1 was issued here; \`pulumi up\` gets it"
  if ! run_certbot renew --non-interactive --no-random-sleep-on-renew --force-renewal --cert-name "$1-$2"; then
    printf '%s\n' "$said" >&2
    why=$(reason)
    attempted "$1-$2" "$why"
    measure
    fail "certificate $2 of $1 was not renewed; the edge serves the one it had: $why"
  fi
  attempted "$1-$2"
  due "$1" "$2"
  renewed "$1"
  say "certificate $2 of $1: $(openssl x509 -noout -enddate -in "$(lineage "$1" "$2")/fullchain.pem")"
}

# revoke SYSTEM CERTIFICATE REASON: after another one has taken its place, so that no visitor is shown a revoked one
revoke() {
  not_of_origin "$1" "$2"
  conf=$(renewal "$1" "$2")
  [ -e "$conf" ] || fail "no certificate $2 of $1 was issued here"
  old=$(readlink -f "$(lineage "$1" "$2")/cert.pem")
  server=$(sed -n 's/^server = //p' "$conf")
  "$self" renew "$1" "$2" ||
    fail "nothing was revoked, for nothing takes its place; to revoke it all the same, run on the host: certbot revoke --cert-path $old --server $server --reason $3"
  run_certbot revoke --non-interactive --no-delete-after-revoke --cert-path "$old" --server "$server" --reason "$3" || {
    printf '%s\n' "$said" >&2
    fail "the certificate was replaced, the old one not revoked; run on the host: certbot revoke --cert-path $old --server $server --reason $3"
  }
  say "revoked: the certificate $2 of $1 before this one"
}

# A certificate that nothing serves is renewed no more. That of an ACME directory is kept, for they issue few of the
# same names; the key of one of the Origin CA is not, for `pulumi up` has it revoked.
shelve() {
  rm -f "$secrets/$1.ini" "$root/acme/$1.pem" "$root/acme/$1.attempt"
  rm -rf "$secrets/origin/$1"
  set_aside "$1"
}
unshelve() { by_origin "$1" || take_up "$1"; }

set_aside() {
  if [ -e "/etc/letsencrypt/renewal/$1.conf" ]; then
    mkdir -p /etc/letsencrypt/shelved
    mv -f "/etc/letsencrypt/renewal/$1.conf" /etc/letsencrypt/shelved/
  fi
}
take_up() {
  if [ -e "/etc/letsencrypt/shelved/$1.conf" ]; then
    mv -f "/etc/letsencrypt/shelved/$1.conf" /etc/letsencrypt/renewal/
  fi
}
