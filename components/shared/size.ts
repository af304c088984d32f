/** An amount of memory or storage as people write it; units are powers of 1024, as Docker counts them. */
export type Size = `${number} ${"KB" | "MB" | "GB"}`;

const bytesPer = { KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** What a size may look like. */
export const sizePattern = /^(\d+(?:\.\d+)?) (KB|MB|GB)$/;

export function bytes(size: Size): number {
  const match = sizePattern.exec(size);
  if (!match) throw new Error(`not a size: "${size}"`);
  return Math.round(Number(match[1]) * bytesPer[match[2] as keyof typeof bytesPer]);
}

/** An amount as people write it, in the largest unit that it fills, rounded to two decimals. */
export function showBytes(amount: number): Size {
  const unit = amount >= bytesPer.GB ? "GB" : amount >= bytesPer.MB ? "MB" : "KB";
  return `${Math.round((amount / bytesPer[unit]) * 100) / 100} ${unit}`;
}
