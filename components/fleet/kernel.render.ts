import type { Host } from "../config/host.ts";
import { isContainer, looks, place, renderScript } from "./script.ts";

/* What a host's kernel allows, and where it puts what is not used. */

interface KernelArgs {
  readonly host: Pick<Host, "name">;
}

/**
 * Kernel settings; a kernel that does not know one goes without.
 *
 * @see https://docs.kernel.org/admin-guide/sysctl/
 */
const kernel: Readonly<Record<string, string>> = {
  "dev.tty.ldisc_autoload": "0",
  "fs.inotify.max_user_instances": "1024",
  "fs.protected_fifos": "2",
  "fs.protected_hardlinks": "1",
  "fs.protected_regular": "2",
  "fs.protected_symlinks": "1",
  "fs.suid_dumpable": "0",
  "kernel.core_uses_pid": "1",
  "kernel.ctrl-alt-del": "0",
  "kernel.dmesg_restrict": "1",
  "kernel.kptr_restrict": "2",
  "kernel.panic": "10",
  "kernel.perf_event_paranoid": "3",
  "kernel.randomize_va_space": "2",
  "kernel.sysrq": "0",
  "kernel.unprivileged_bpf_disabled": "1",
  "kernel.yama.ptrace_scope": "1",
  "net.core.bpf_jit_harden": "2",
  "net.core.somaxconn": "4096",
  "net.ipv4.conf.all.accept_redirects": "0",
  "net.ipv4.conf.all.accept_source_route": "0",
  "net.ipv4.conf.all.log_martians": "1",
  // Loose: what comes over an overlay or a second network card would be dropped by the strict form.
  "net.ipv4.conf.all.rp_filter": "2",
  "net.ipv4.conf.all.secure_redirects": "0",
  "net.ipv4.conf.all.send_redirects": "0",
  "net.ipv4.conf.default.accept_redirects": "0",
  "net.ipv4.conf.default.accept_source_route": "0",
  "net.ipv4.conf.default.log_martians": "1",
  "net.ipv4.conf.default.send_redirects": "0",
  "net.ipv4.icmp_echo_ignore_broadcasts": "1",
  "net.ipv4.icmp_ignore_bogus_error_responses": "1",
  "net.ipv4.tcp_syncookies": "1",
  "net.ipv6.conf.all.accept_redirects": "0",
  "net.ipv6.conf.all.accept_source_route": "0",
  "net.ipv6.conf.default.accept_redirects": "0",
  "net.ipv6.conf.default.accept_source_route": "0",
  // Redis saves by a fork, for which the kernel would otherwise want as much memory again.
  "vm.overcommit_memory": "1",
  "vm.swappiness": "10",
};

export function renderSysctl({ host }: KernelArgs): string {
  const lines = Object.entries(kernel).map(([key, value]) => `${key} = ${value}`);
  return renderScript({
    host: host.name,
    concern: "sysctl",
    body: `
config=/etc/sysctl.d/90-berth.conf

${looks}

${place}

${isContainer}

wanted() {
  cat <<'END'
# Managed by berth.
${lines.join("\n")}
END
}

main() {
  wanted | place "$config"
  only=.
  if is_container; then only='^net\\.ipv'; fi
  differing=
  while read -r key _ value; do
    if live=$(sysctl -n "$key" 2>/dev/null) && [ "$live" != "$value" ]; then
      differs "$key is $live, not $value" || sysctl --quiet --write "$key=$value"
      differing="$differing $key"
    fi
  done <<END
$(wanted | grep -v '^#' | grep "$only")
END
  if [ -z "$differing" ]; then echo 'unchanged: kernel settings'; else echo "changed:$differing"; fi
}
`,
  });
}

/** Megabytes of swap: room for what is not used, not for what is. */
const swapMegabytes = 2048;

export function renderSwap({ host }: KernelArgs): string {
  return renderScript({
    host: host.name,
    concern: "swap",
    body: `
file=/var/swap.berth

${looks}

${isContainer}

main() {
  if is_container; then
    echo 'unchanged: swap is the business of the machine around this container'
  elif [ -n "$(swapon --show --noheadings)" ]; then
    echo 'unchanged: swap'
  elif [ "$(df --output=avail --block-size=1M /var | tail -n 1 | tr -d ' ')" -lt ${4 * swapMegabytes} ]; then
    echo 'unchanged: no swap, for want of room on the disk that holds /var'
  elif ! differs 'no swap'; then
    # Whole or not at all: an interrupted run leaves nothing that is taken for swap.
    rm -f "$file"
    (umask 077 && dd if=/dev/zero of="$file" bs=1M count=${swapMegabytes} 2>/dev/null)
    mkswap --quiet "$file" || mkswap "$file" >/dev/null
    grep -q "^$file " /etc/fstab || echo "$file none swap sw 0 0" >>/etc/fstab
    swapon "$file"
    echo 'changed: ${swapMegabytes} MB of swap'
  fi
}
`,
  });
}
