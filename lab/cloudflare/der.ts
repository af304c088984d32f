/** As much of DER (ITU-T X.690) as certificates and requests for them need. */

export interface Element {
  readonly tag: number;
  /** Without tag and length. */
  readonly content: Buffer;
  /** With them. */
  readonly whole: Buffer;
}

export const tags = {
  integer: 2,
  bits: 3,
  octets: 4,
  null: 5,
  oid: 6,
  utf8: 12,
  printable: 19,
  sequence: 0x30,
  set: 0x31,
};

/** The elements that stand one after the other in `bytes`; throws on what is not DER. */
export function readAll(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes.readUInt8(at);
    const first = bytes.readUInt8(at + 1);
    const sizeBytes = first < 0x80 ? 0 : first & 0x7f;
    const size = sizeBytes === 0 ? first : bytes.readUIntBE(at + 2, sizeBytes);
    const start = at + 2 + sizeBytes;
    const end = start + size;
    if (end > bytes.length) throw new RangeError("an element ends beyond its container");
    elements.push({ tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return elements;
}

export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const size = content.length.toString(16);
  const bytes = Buffer.from(size.padStart(size.length + (size.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | bytes.length]), bytes, content]);
}

export const sequence = (...contents: readonly Uint8Array[]): Buffer => element(tags.sequence, ...contents);
export const text = (value: string): Buffer => element(tags.utf8, Buffer.from(value));

/** A number that is not negative, from its bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const needsZero = ((bytes[0] ?? 0) & 0x80) !== 0;
  return element(tags.integer, needsZero ? Buffer.from([0]) : Buffer.alloc(0), bytes);
}

/** From dotted numbers, such as 2.5.4.3. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const groups = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return element(tags.oid, Buffer.from(bytes));
}

export const bits = (bytes: Uint8Array, unused = 0): Buffer => element(tags.bits, Buffer.from([unused]), bytes);

/** Two-digit years end with 2049, from then on the other form is required. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, "");
  return date.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2)))
    : element(0x18, Buffer.from(digits));
}
