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
