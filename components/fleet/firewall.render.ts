import type { Firewall } from "../config/firewall.ts";
import type { Host } from "../config/host.ts";
import { metricsPort } from "./engine.render.ts";
import type { GuardedArgs } from "./guarded.render.ts";
import { rangesFile } from "./ranges.render.ts";
import { place } from "./script.ts";

export interface FirewallArgs {
  readonly stack: string;
  readonly host: Host;
  /** All hosts of the stack: they reach each other's swarm. */
  readonly hosts: readonly Host[];
  readonly firewall: Firewall;
  /** Networks of the proxy, for `web: cloudflare`; those that the host has heard of since are let in instead. */
  readonly proxyRanges: readonly string[];
}

/**
 * What a host lets in, as one nftables table of its own: SSH, the web on edge hosts, the swarm and Docker's metrics
 * among the fleet, what networks need to work. Docker's own rules stay as they are and would let in whatever a container publishes; the
 * table looks at forwarded packets before them, and what it drops is dropped.
 *
 * @see https://wiki.nftables.org/wiki-nftables/index.php/Netfilter_hooks
 */
export function firewall(args: FirewallArgs): GuardedArgs {
  return {
    stack: args.stack,
    host: args.host,
    concern: "firewall",
    settings: `rules=${rulesFile}`,
    body: `
apply() {
  mkdir -p "$(dirname "$rules")"
  wanted >"$rules.next"
  if cmp -s "$rules.next" "$rules" && nft list table inet berth >/dev/null 2>&1; then
    rm "$rules.next"
    echo 'unchanged: firewall'
    return
  fi
  admits_client
  nft --check --file "$rules.next"
  guard
  nft --file "$rules.next"
  echo 'changed: firewall'
}

wanted() {
  # sshd may listen elsewhere than at the port that is dialled, behind a forwarder.
  ports=$(sshd -T | sed -n 's/^port //p' | sort -un | paste -sd ,)
  cat <<END
${renderRules(args)}END
}
${isProxied(args) ? `\n${proxies(args.proxyRanges)}\n` : ""}
# nftables lists rules in words of its own: what is loaded, against what it lists of these rules in an empty network.
check() {
  wanted | place "$rules"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  wanted >"$scratch/wanted"
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --net sh -c 'nft --file "$1" && nft list table inet berth' sh "$scratch/wanted" >"$scratch/expected"
  if nft list table inet berth >"$scratch/found" 2>/dev/null; then
    diff "$scratch/expected" "$scratch/found" |
      sed -n 's|^< *\\(.*\\)|differs: the firewall lacks "\\1"|p; s|^> *\\(.*\\)|differs: the firewall has "\\1"|p' | tr -d '\\t'
  else
    echo 'differs: the firewall is not loaded'
  fi
  enabled berth-firewall.service
}

${place}

revert() {
  nft --file - <<'END'
table inet berth
delete table inet berth
END
  rm -f "$rules.next"
  [ ! -e "$rules" ] || nft --file "$rules"
}

keep() {
  mv "$rules.next" "$rules"
  cat >/etc/systemd/system/berth-firewall.service <<'END'
# Managed by berth: the firewall before the network.
[Unit]
Description=berth firewall
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft --file ${rulesFile}
[Install]
WantedBy=sysinit.target
END
  systemctl daemon-reload
  systemctl enable --quiet berth-firewall.service
}

# What nftables itself says about the address that this connection comes from.
admits_client() {
${renderAdmission(args.firewall)}}
`,
  };
}

const rulesFile = "/etc/berth/firewall.nft";

/** Shell function `proxies MARK`: the networks of the proxy with the mark of their family, as elements of a set. */
const proxies = (ranges: readonly string[]): string =>
  `
proxies() {
  if [ -s ${rangesFile} ]; then cat ${rangesFile}; else printf '%s\\n' ${ranges.join(" ")}; fi |
    grep -F "$1" | paste -sd , | sed 's/,/, /g'
}`.trim();

const isProxied = ({ host, firewall }: FirewallArgs): boolean =>
  host.labels["edge"] === "true" && firewall.web === "cloudflare";

const isV6 = (network: string): boolean => network.includes(":");
const everyone = ["0.0.0.0/0", "::/0"];

function renderAdmission({ ssh }: Firewall): string {
  const cases = [false, true].flatMap((six) => {
    const networks = ssh.filter((network) => isV6(network) === six);
    if (networks.some((network) => everyone.includes(network))) return [];
    const pattern = six ? "*:*" : "*.*";
    if (networks.length === 0) return [`    ${pattern}) found=no ;;`];
    return [`    ${pattern}) contains ipv${six ? 6 : 4}_addr '${networks.join(", ")}' || found=no ;;`];
  });
  if (cases.length === 0) return "  :\n";
  return `  found=yes
  case "$client" in
${cases.join("\n")}
  esac
  [ "$found" = yes ] ||
    refuse "berth:firewall.ssh would cut this connection, which comes from $client; add its network"
}

contains() {
  nft --file - <<END
table inet berth_check
delete table inet berth_check
table inet berth_check {
  set networks {
    type $1
    flags interval
    auto-merge
    elements = { $2 }
  }
}
END
  answer=no
  if nft get element inet berth_check networks "{ $client }" >/dev/null 2>&1; then answer=yes; fi
  nft delete table inet berth_check
  [ "$answer" = yes ]
`;
}

function renderRules(args: FirewallArgs): string {
  const { host, hosts, firewall } = args;
  const fleet = hosts
    .flatMap(({ privateAddress }) => (privateAddress === undefined ? [] : [privateAddress]))
    .toSorted();
  const several = hosts.length > 1 && fleet.length > 0;
  const fromFleet = several ? [`    ip saddr { ${fleet.join(", ")} }`] : [];
  const edge = host.labels["edge"] === "true";
  return [
    "# Managed by berth; changes made here are lost.",
    "table inet berth",
    "delete table inet berth",
    "table inet berth {",
    ...(isProxied(args) ? [...proxySet(4, "."), ...proxySet(6, ":")] : []),
    "  chain input {",
    "    type filter hook input priority filter; policy drop;",
    "    ct state established,related accept",
    "    ct state invalid drop",
    '    iifname "lo" accept',
    "    icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
    "    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept",
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert, mld-listener-query } accept",
    "    meta l4proto { icmp, ipv6-icmp } limit rate 10/second accept",
    "    udp sport 67 udp dport 68 accept",
    "    ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
    ...sources(firewall.ssh).map((from) => `    ${from}tcp dport { $ports } accept`),
    ...fromFleet.flatMap((from) => [
      `${from} tcp dport { 2377, 7946, ${metricsPort} } accept`,
      `${from} udp dport { 4789, 7946 } accept`,
      `${from} meta l4proto esp accept`,
    ]),
    ...(edge ? ["    tcp dport { 80, 443 } jump web"] : []),
    ...(edge && firewall.http3 ? ["    udp dport 443 jump web"] : []),
    "  }",
    "",
    "  # What comes from outside to a container, before Docker's own rules.",
    "  chain forward {",
    "    type filter hook forward priority filter - 5; policy accept;",
    "    ct state established,related accept",
    '    iifname "docker*" accept',
    '    iifname "br-*" accept',
    ...(edge ? ["    meta l4proto tcp ct status dnat ct original proto-dst { 80, 443 } jump web"] : []),
    ...(edge && firewall.http3 ? ["    meta l4proto udp ct status dnat ct original proto-dst 443 jump web"] : []),
    "    drop",
    "  }",
    ...(edge
      ? [
          "",
          "  chain web {",
          ...(firewall.web === "any"
            ? ["    accept"]
            : [
                ...fromFleet.map((from) => `${from} accept`),
                "    ip saddr @proxies4 accept",
                "    ip6 saddr @proxies6 accept",
              ]),
          "  }",
        ]
      : []),
    "}",
    "",
  ].join("\n");
}

/** Filled on the host, and by its refresh of the networks: in one line, which that looks for. */
function proxySet(version: 4 | 6, mark: string): string[] {
  return [
    `  set proxies${version} {`,
    `    type ipv${version}_addr`,
    "    flags interval",
    "    auto-merge",
    `    elements = { $(proxies ${mark}) }`,
    "  }",
    "",
  ];
}

/** Matches of the networks, one per family; nothing to match for a family of which all are meant. */
function sources(networks: readonly string[]): string[] {
  return [false, true].flatMap((six) => {
    const own = networks.filter((network) => isV6(network) === six);
    if (own.length === 0) return [];
    if (own.some((network) => everyone.includes(network))) return [`meta nfproto ipv${six ? 6 : 4} `];
    return [`${six ? "ip6" : "ip"} saddr { ${own.join(", ")} } `];
  });
}
