import type { Host } from "../config/host.ts";
import { newer, place, renderScript } from "./script.ts";

/**
 * sshd as berth relies on it: keys only, and room for many dials at once, since every command on a host dials anew
 * and the docker provider opens a session for each of its connections. Runs before everything else.
 */
export function renderAccess(host: Pick<Host, "name" | "user">): string {
  const settings = [
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    // A host that is reached as another user may refuse root altogether: nothing is loosened there.
    ...(host.user === "root" ? ["PermitRootLogin prohibit-password"] : []),
    "MaxStartups 100:30:200",
    "MaxSessions 100",
  ];
  return renderScript({
    host: host.name,
    concern: "access",
    body: `
config=/etc/ssh/sshd_config.d/00-berth.conf
pid=/run/sshd.pid

${place}

${newer}

main() {
  if ! complaint=$(sshd -t 2>&1); then
    refuse "sshd refuses its configuration as it stands, got \\"$complaint\\"; put /etc/ssh in order"
  fi
  place "$config" <<'END'
# Managed by berth. The first value of a setting counts, hence the name of this file.
${settings.join("\n")}
END
  if ! complaint=$(sshd -t 2>&1); then
    rm "$config"
    refuse "sshd refuses these settings, got \\"$complaint\\"; the file was taken away again"
  fi
  for setting in 'passwordauthentication no' 'maxsessions 100'; do
    sshd -T | grep -qx "$setting" ||
      refuse 'sshd does not read /etc/ssh/sshd_config.d; put "Include /etc/ssh/sshd_config.d/*.conf" at the top of /etc/ssh/sshd_config'
  done
  # sshd writes its process id anew when it reads its configuration; an older one means an older configuration.
  if [ "$placed" = changed ] || newer "$config" "$pid"; then
    reload
  fi
}

reload() {
  if [ ! -e "$pid" ]; then
    systemctl reload ssh
  else
    before=$(stat -c %y "$pid")
    systemctl reload ssh
    # While it reads, nobody can connect. The next command dials as soon as this one is done.
    deadline=$(($(date +%s) + 10))
    until [ -e "$pid" ] && [ "$(stat -c %y "$pid")" != "$before" ]; do
      [ "$(date +%s)" -lt "$deadline" ] || refuse 'sshd did not come back within 10 seconds; see journalctl -u ssh'
      sleep 0.1
    done
  fi
  echo 'changed: sshd reloaded'
}
`,
  });
}
