import type { Host } from "../config/host.ts";
import type { GuardedArgs } from "./guarded.render.ts";
import { newer, place } from "./script.ts";

/**
 * sshd as berth relies on it: keys only, algorithms without known weakness, and room for many dials at once, since
 * every command on a host dials anew and the docker provider opens a session for each of its connections. Runs before
 * everything else, and undoes itself when no new connection comes through.
 *
 * @see https://man.openbsd.org/sshd_config
 */
export function access({ stack, host }: { readonly stack: string; readonly host: Host }): GuardedArgs {
  return {
    stack,
    host,
    concern: "access",
    settings: "config=/etc/ssh/sshd_config.d/00-berth.conf",
    body: `
pid=/run/sshd.pid

${newer}

apply() {
  if ! complaint=$(sshd -t 2>&1); then
    refuse "sshd refuses its configuration as it stands, got \\"$complaint\\"; put /etc/ssh in order"
  fi
  wanted >"$program.next"
  # sshd writes its process id anew when it reads its configuration; an older one means an older configuration.
  if cmp -s "$program.next" "$config" && ! newer "$config" "$pid"; then
    rm "$program.next"
    echo "unchanged: $config"
    return
  fi
  if [ -e "$config" ]; then cp -p "$config" "$program.before"; else rm -f "$program.before"; fi
  guard
  mkdir -p "$(dirname "$config")"
  mv "$program.next" "$config"
  if ! complaint=$(sshd -t 2>&1); then
    "$program" revert
    refuse "sshd refuses these settings, got \\"$complaint\\"; the file was taken away again"
  fi
  for setting in 'passwordauthentication no' 'x11forwarding no' 'maxsessions 100'; do
    if ! sshd -T | grep -qx "$setting"; then
      "$program" revert
      refuse 'sshd does not read /etc/ssh/sshd_config.d; put "Include /etc/ssh/sshd_config.d/*.conf" at the top of /etc/ssh/sshd_config'
    fi
  done
  reload
  echo "changed: $config, read by sshd"
}

wanted() {
  cat <<'END'
# Managed by berth. The first value of a setting counts, hence the name of this file.
${settings(host).join("\n")}
END
}

# What sshd makes of all its files, against what it makes of these settings alone.
check() {
  wanted | place "$config"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  wanted >"$scratch/wanted"
  keys="^($(sed -n 's/^\\([A-Z][A-Za-z0-9]*\\) .*/\\1/p' "$scratch/wanted" | tr '[:upper:]' '[:lower:]' | paste -sd '|')) "
  sshd -T -f "$scratch/wanted" | grep -E "$keys" | sort >"$scratch/expected"
  sshd -T | grep -E "$keys" | sort >"$scratch/found"
  diff "$scratch/expected" "$scratch/found" |
    sed -n 's|^< \\(.*\\)|differs: sshd lacks "\\1"|p; s|^> \\(.*\\)|differs: sshd has "\\1"|p'
  ! newer "$config" "$pid" || echo "differs: sshd has not read $config since it was changed"
}

${place}

revert() {
  if [ -e "$program.before" ]; then mv "$program.before" "$config"; else rm -f "$config"; fi
  systemctl reload ssh
}

keep() {
  rm -f "$program.before"
}

reload() {
  if [ ! -e "$pid" ]; then
    systemctl reload ssh
    return
  fi
  before=$(stat -c %y "$pid")
  systemctl reload ssh
  # While it reads, nobody can connect. The next command dials as soon as this one is done.
  deadline=$(($(date +%s) + 10))
  # It is gone for a moment, also between two looks at it.
  until now=$(stat -c %y "$pid" 2>/dev/null) && [ "$now" != "$before" ]; do
    [ "$(date +%s)" -lt "$deadline" ] || refuse 'sshd did not come back within 10 seconds; see journalctl -u ssh'
    sleep 0.1
  done
}
`,
  };
}

function settings({ user, hostKey }: Host): string[] {
  // Its curve is in doubt; where it is the pinned key, or none is pinned, it stays.
  const ecdsa = hostKey === undefined || hostKey.startsWith("ecdsa-");
  return [
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitEmptyPasswords no",
    // A host that is reached as another user may refuse root altogether: nothing is loosened there.
    ...(user === "root" ? ["PermitRootLogin prohibit-password"] : []),
    "PermitUserEnvironment no",
    "X11Forwarding no",
    "AllowAgentForwarding no",
    // The verb `status` reads certificates through it.
    "AllowTcpForwarding local",
    "PermitTunnel no",
    "LoginGraceTime 30",
    "MaxStartups 100:30:200",
    "MaxSessions 100",
    // A client that has gone is noticed within five minutes, inside of the encryption, where nobody can pretend.
    "ClientAliveInterval 150",
    "ClientAliveCountMax 2",
    "TCPKeepAlive no",
    "Compression no",
    "LogLevel VERBOSE",
    // Taken from OpenSSH's own lists, so that what newer versions bring comes along.
    "KexAlgorithms -ecdh-sha2-*,diffie-hellman-group14-*,diffie-hellman-group-exchange-*,diffie-hellman-group1-*",
    "MACs -hmac-sha1*,umac-64*,hmac-sha2-256,hmac-sha2-512,umac-128@openssh.com",
    ...(ecdsa ? [] : ["HostKeyAlgorithms -ecdsa-*,sk-ecdsa-*,webauthn-*"]),
  ];
}
