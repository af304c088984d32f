# Managed by berth: audit of web-1. Safe to run again at any time, also after an interruption.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

refuse() {
  echo 'host web-1: audit:' "$1" >&2
  exit 1
}

looking=${1-}

# differs WHAT: says so in a check; otherwise fails, and the change is made.
differs() {
  [ "$looking" = check ] || return 1
  echo "differs: $1"
}

# enabled UNIT…: starts by itself with the machine
enabled() {
  for unit in "$@"; do
    state=$(systemctl is-enabled "$unit" 2>/dev/null) || state=${state:-missing}
    case "$state" in
      enabled | static | alias) ;;
      *) differs "$unit is $state, not enabled" || systemctl enable --quiet "$unit" ;;
    esac
  done
}

place() {
  placed=unchanged
  if [ "$looking" = check ]; then
    if [ -e "$1" ]; then
      diff - "$1" | sed -n "s|^< \(.*\)|differs: $1 lacks \"\1\"|p; s|^> \(.*\)|differs: $1 has \"\1\"|p"
    else
      echo "differs: $1 is missing"
    fi
    return
  fi
  mkdir -p "$(dirname "$1")"
  cat >"$1.berth"
  if cmp -s "$1.berth" "$1"; then
    rm "$1.berth"
  else
    mv "$1.berth" "$1"
    placed=changed
  fi
  echo "$placed: $1"
}

is_container() {
  systemd-detect-virt --quiet --container
}

main() {
  if [ "$looking" != check ]; then
    mkdir -p /root/.ssh /etc/berth /etc/docker
    chmod 700 /root/.ssh
  fi
  place /etc/audit/rules.d/60-berth.rules <<'END'
# Managed by berth.
-w /etc/passwd -p wa -k identity
-w /etc/group -p wa -k identity
-w /etc/shadow -p wa -k identity
-w /etc/sudoers -p wa -k rights
-w /etc/sudoers.d -p wa -k rights
-w /etc/ssh -p wa -k access
-w /root/.ssh -p wa -k access
-w /etc/berth -p wa -k firewall
-w /etc/docker -p wa -k docker
-w /usr/bin/docker -p x -k docker
-w /etc/systemd/system -p wa -k services
-w /etc/cron.d -p wa -k services
-w /etc/sysctl.d -p wa -k kernel
-w /etc/audit -p wa -k audit
END
  if is_container; then
    echo 'unchanged: the audit log is that of the machine around this container'
    return
  fi
  enabled auditd
  if [ "$placed" = changed ] || ! systemctl is-active --quiet auditd; then
    differs 'auditd does not run' || {
      systemctl is-active --quiet auditd || systemctl start auditd
      augenrules --load >/dev/null
      echo 'changed: audit rules loaded'
    }
  fi
}

main </dev/null
