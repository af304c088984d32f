import type { Host } from "../config/host.ts";
import { looks, place, renderScript } from "./script.ts";

type HostName = Pick<Host, "name">;

/** Protocols, file systems and buses that no Docker host has a use for, and that were ways in before. */
const unusedModules: readonly string[] = [
  ...["dccp", "rds", "sctp", "tipc"],
  ...["cramfs", "freevxfs", "hfs", "hfsplus", "jffs2"],
  ...["firewire-core", "firewire-ohci", "firewire-sbp2", "usb-storage"],
];

/** Kernel modules that are not loaded for whoever asks; one that is loaded already stays until the next start. */
export function renderModules({ name }: HostName): string {
  return renderScript({
    host: name,
    concern: "modules",
    body: `
${looks}

${place}

main() {
  place /etc/modprobe.d/60-berth.conf <<'END'
# Managed by berth.
${unusedModules.map((module) => `install ${module} /bin/false`).join("\n")}
END
}
`,
  });
}

/** Files that only root has to read, and the directories from which root's jobs are started. */
const modes: Readonly<Record<string, string>> = {
  "/etc/ssh/sshd_config": "600",
  "/etc/crontab": "600",
  "/etc/cron.d": "700",
  "/etc/cron.hourly": "700",
  "/etc/cron.daily": "700",
  "/etc/cron.weekly": "700",
  "/etc/cron.monthly": "700",
};

/** For sessions that read no profile, and for passwords, should anybody set one: none opens SSH. */
const logins: Readonly<Record<string, string>> = {
  UMASK: "027",
  SHA_CRYPT_MIN_ROUNDS: "65536",
  SHA_CRYPT_MAX_ROUNDS: "65536",
};

/**
 * What people who log in leave behind: files of theirs are not for everybody, a shell that is left alone ends, and no
 * program writes its memory, secrets included, to the disk. Scripts of berth's set a umask of their own.
 */
export function renderSessions({ name }: HostName): string {
  return renderScript({
    host: name,
    concern: "sessions",
    body: `
${looks}

${place}

main() {
  place /etc/profile.d/60-berth.sh <<'END'
# Managed by berth.
umask 027
ulimit -c 0
case $- in
  *i*)
    [ -n "\${TMOUT-}" ] || TMOUT=1800
    readonly TMOUT
    export TMOUT
    ;;
esac
END
  place /etc/security/limits.d/60-berth.conf <<'END'
# Managed by berth: no core dumps.
* hard core 0
root hard core 0
END
  place /etc/systemd/coredump.conf.d/60-berth.conf <<'END'
# Managed by berth.
[Coredump]
Storage=none
ProcessSizeMax=0
END
  for file in /etc/issue /etc/issue.net; do
    place "$file" <<'END'
Private system. Access is for authorized persons only; it is monitored and recorded.
END
  done
${Object.entries(logins)
  .map(([key, value]) => `  default ${key} ${value}`)
  .join("\n")}
${Object.entries(modes)
  .map(([path, mode]) => `  only ${path} ${mode}`)
  .join("\n")}
}

# default KEY VALUE: a line of a file whose other lines are the distribution's
default() {
  found=$(sed -n "s/^$1[[:space:]]*//p" /etc/login.defs)
  [ -n "$found" ] || found='unset'
  if [ "$found" = "$2" ]; then
    echo "unchanged: $1"
  elif ! differs "$1 of /etc/login.defs is $found, not $2"; then
    sed -i "/^$1[[:space:]]/d" /etc/login.defs
    echo "$1 $2" >>/etc/login.defs
    echo "changed: $1 of /etc/login.defs"
  fi
}

# only PATH MODE
only() {
  [ -e "$1" ] || return 0
  found=$(stat -c %a "$1")
  [ "$found" != "$2" ] || return 0
  differs "$1 has mode $found, not $2" || {
    chmod "$2" "$1"
    echo "changed: mode of $1"
  }
}
`,
  });
}
