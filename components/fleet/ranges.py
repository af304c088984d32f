#!/usr/bin/python3
"""The networks that Cloudflare connects from, kept as it publishes them. Managed by berth: berth-ranges.timer runs it.

  refresh ADDRESS          ask ADDRESS, its API, and take the list if it can be believed
  refresh ADDRESS accept   the same, also when the list differs much from the one in force

Who uses the list follows: the firewall's sets, in one transaction, and nginx, by its guarded reload. Whatever goes
wrong, the last good list stays in force, and the next run tries all of it again.

Files beside this one:
  seed         the list that berth came with
  cloudflare   the list as last taken; in force where it is there
"""

import ipaddress
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.realpath(__file__))
PLACES = {
    "rules": "/etc/berth/firewall.nft",
    "pending": "/var/lib/berth/firewall.pending",
    "nft": "/usr/sbin/nft",
    "edge": "/var/lib/berth/edge/bin/edge",
    "metrics": "/var/lib/berth/metrics/ranges.prom",
}
# A test on a machine that others use has places of its own.
if os.path.exists(os.path.join(ROOT, "settings.json")):
    with open(os.path.join(ROOT, "settings.json"), encoding="utf-8") as settings:
        PLACES.update(json.load(settings))

# Cloudflare's widest networks are a /13 and a /29: wider ones than these would let in half of the world.
WIDEST = {4: 10, 6: 20}
# As parts of the list in force: what may go missing, and what may come on top, without anybody having looked.
MISSING, ADDED = 1 / 4, 1
BYTES, SECONDS = 1_000_000, 30


class Refusal(Exception):
    """Why a list is not taken."""


def ask(address):
    try:
        with urllib.request.urlopen(address, timeout=SECONDS) as answer:
            text = answer.read(BYTES + 1)
    except (OSError, ValueError) as error:
        raise Refusal(f"{address} does not answer: {error}") from error
    if len(text) > BYTES:
        raise Refusal(f"{address} answers more than {BYTES} bytes")
    try:
        return json.loads(text)
    except ValueError as error:
        raise Refusal(f"{address} does not answer with JSON, got {text[:80]!r}") from error


def networks(answer):
    """The list of an answer, IPv4 first; every entry is one that Cloudflare could have."""
    if not isinstance(answer, dict) or answer.get("success") is not True or not isinstance(answer.get("result"), dict):
        raise Refusal(f"the answer is not a success, got {json.dumps(answer)[:200]}")
    found = []
    for version, key in ((4, "ipv4_cidrs"), (6, "ipv6_cidrs")):
        listed = answer["result"].get(key)
        if not isinstance(listed, list) or not listed:
            raise Refusal(f"{key} is no list of networks, got {json.dumps(listed)[:80]}")
        found.extend(network(version, key, entry) for entry in listed)
    return list(dict.fromkeys(found))


def network(version, key, entry):
    try:
        one = ipaddress.ip_network(entry) if isinstance(entry, str) else None
    except ValueError:
        one = None
    if one is None or one.version != version:
        raise Refusal(f"{key} holds what is no network, got {json.dumps(entry)[:80]}")
    if one.prefixlen < WIDEST[version] or not one.is_global or one.is_multicast:
        raise Refusal(f"{key} holds a network that cannot be Cloudflare's, got {one}")
    return one


def read(path):
    with open(path, encoding="utf-8") as file:
        return [ipaddress.ip_network(line) for line in file.read().split()]


def in_force():
    taken = os.path.join(ROOT, "cloudflare")
    return read(taken if os.path.exists(taken) else os.path.join(ROOT, "seed"))


def compare(before, after):
    """Refuses a list that is far from the one before: by networks that are no longer covered, or are new."""
    for version in (4, 6):
        old = [one for one in before if one.version == version]
        new = [one for one in after if one.version == version]
        gone = [str(one) for one in old if not covered(one, new)]
        come = [str(one) for one in new if not covered(one, old)]
        cure = "see cloudflare.com/ips; if that is its list, run this program once more with `accept`"
        if len(gone) > len(old) * MISSING:
            raise Refusal(f"{len(gone)} of {len(old)} networks of IPv{version} are missing, {', '.join(gone)}; {cure}")
        if len(come) > len(old) * ADDED:
            raise Refusal(f"{len(come)} networks of IPv{version} are new beside {len(old)}, {', '.join(come)}; {cure}")


def covered(one, others):
    return any(one.subnet_of(other) for other in others)


def write(path, text):
    """Whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def run(*argv, text=None):
    done = subprocess.run(argv, input=text, capture_output=True, encoding="utf-8", check=False)
    if done.returncode != 0:
        raise Refusal(f"{argv[0]} ended with {done.returncode}: {(done.stdout + done.stderr).strip()}")


def firewall(listed):
    """Its file for the next boot, and what is loaded: both or neither. A firewall without the sets lets anyone in."""
    if not os.path.exists(PLACES["rules"]):
        return
    if os.path.exists(PLACES["pending"]):
        raise Refusal("the firewall is being changed; the next run brings it the list")
    with open(PLACES["rules"], encoding="utf-8") as file:
        before = file.read()
    after, load = before, ""
    for version in (4, 6):
        elements = ", ".join(str(one) for one in listed if one.version == version)
        place = re.compile(r"(set proxies%d \{[^}]*elements = \{ )[^}]*( \})" % version)
        if not place.search(after):
            return
        after = place.sub(lambda found: found[1] + elements + found[2], after)
        load += f"flush set inet berth proxies{version}\nadd element inet berth proxies{version} {{ {elements} }}\n"
    if after == before:
        return
    run(PLACES["nft"], "--file", "-", text=load)
    write(PLACES["rules"], after)
    print("the firewall lets in the networks of the new list")


def edge():
    if os.access(PLACES["edge"], os.X_OK):
        run(PLACES["edge"], "ranges")


def measure(problem):
    """For a scrape: Prometheus' text format."""
    taken = os.path.join(ROOT, "checked")
    if problem is None:
        write(taken, f"{int(time.time())}\n")
    values = {"last_attempt_timestamp_seconds": int(time.time()), "last_attempt_failed": int(problem is not None)}
    if os.path.exists(taken):
        with open(taken, encoding="utf-8") as file:
            values["refreshed_timestamp_seconds"] = int(file.read())
    lines = [f"# TYPE berth_cloudflare_ranges_{name} gauge\nberth_cloudflare_ranges_{name} {value}\n" for name, value in values.items()]
    write(PLACES["metrics"], "".join(lines))


def refresh(address, accept):
    listed = networks(ask(address))
    before = in_force()
    if not accept:
        compare(before, listed)
    if set(listed) != set(before):
        write(os.path.join(ROOT, "cloudflare"), "".join(f"{one}\n" for one in listed))
        print(f"{len(listed)} networks are in force, {len(before)} were")
    # Also those that an earlier run did not reach.
    firewall(in_force())
    edge()


def main(address, accept=None):
    if accept not in (None, "accept"):
        sys.exit(f"ranges: unknown word: {accept}; use accept, or nothing")
    problem = None
    try:
        refresh(address, accept is not None)
    except Refusal as refusal:
        problem = f"ranges: {refusal}"
    measure(problem)
    if problem is not None:
        sys.exit(f"{problem}\nranges: the last good list stays in force")


if len(sys.argv) not in (2, 3):
    sys.exit("usage: refresh ADDRESS [accept]")
main(*sys.argv[1:])
