/** Whether two IPv4 networks, `10.0.0.0/8` or a single address, have an address in common. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [parse(one), parse(other)];
  const shift = 32 - Math.min(a.length, b.length);
  // Not `>>`, which keeps a sign and takes a shift of 32 for none.
  return Math.floor(a.start / 2 ** shift) === Math.floor(b.start / 2 ** shift);
}

function parse(network: string): { readonly start: number; readonly length: number } {
  const [address = "", length = "32"] = network.split("/");
  const start = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return { start, length: Number(length) };
}
