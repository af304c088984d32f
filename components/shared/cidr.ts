import { isIP, isIPv4 } from "node:net";

/**
 * The network that an address with a length lies in: `10.1.0.0/16` for `10.1.2.3/16`. What is written in another way
 * than it, but for IPv6's many ways of writing one address, has bits set that its length says do not count.
 *
 * @returns the text itself where it begins its network or has no length; undefined for what is neither
 */
export function networkOf(text: string): string | undefined {
  const [address = "", length, ...rest] = text.split("/");
  if (isIP(address) === 0 || address.includes("%") || rest.length > 0) return undefined;
  if (length === undefined) return text;
  const width = isIPv4(address) ? 32 : 128;
  if (!/^\d{1,3}$/.test(length) || Number(length) > width) return undefined;
  const bits = isIPv4(address) ? bits4(address) : bits6(address);
  const hidden = (1n << BigInt(width - Number(length))) - 1n;
  if ((bits & hidden) === 0n) return text;
  const begin = bits & ~hidden;
  return `${width === 32 ? write4(begin) : write6(begin)}/${length}`;
}

function bits4(address: string): bigint {
  return address.split(".").reduce((bits, part) => (bits << 8n) | BigInt(part), 0n);
}

function bits6(address: string): bigint {
  // The last two groups may be written as an IPv4 address.
  const plain = address.replace(/[\d.]+$/, (end) => (isIPv4(end) ? groups(bits4(end), 2) : end));
  const [left = [], after] = plain.split("::").map((half) => half.split(":").filter((group) => group !== ""));
  const gap = after === undefined ? [] : Array.from({ length: 8 - left.length - after.length }, () => "0");
  return [...left, ...gap, ...(after ?? [])].reduce((bits, group) => (bits << 16n) | BigInt(`0x${group}`), 0n);
}

function write4(bits: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((bits >> shift) & 0xffn)).join(".");
}

function write6(bits: bigint): string {
  // A URL has the shortest way of writing it.
  return new URL(`http://[${groups(bits, 8)}]`).hostname.slice(1, -1);
}

function groups(bits: bigint, count: number): string {
  return Array.from({ length: count }, (_, index) =>
    ((bits >> BigInt(16 * (count - 1 - index))) & 0xffffn).toString(16),
  ).join(":");
}
