/** One measured quantity over the runs of a scenario. */
export interface Measure {
  readonly scenario: string;
  readonly quantity: string;
  readonly unit: "s" | "ms" | "%" | "";
  readonly values: readonly number[];
  /** What it must not exceed; `undefined` where it only informs. */
  readonly goal?: number;
  /** Name of the measure, `scenario: quantity`, that it is compared with. */
  readonly baseline?: string;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[middle]];
  if (low === undefined || high === undefined) throw new Error("no values to take the median of");
  return (low + high) / 2;
}

/** Collects values as the scenarios run. */
export class Measures {
  readonly #measures = new Map<string, Measure & { values: number[] }>();

  add(what: Omit<Measure, "values">, value: number): void {
    const key = `${what.scenario}: ${what.quantity}`;
    const known = this.#measures.get(key);
    if (known) known.values.push(value);
    else this.#measures.set(key, { ...what, values: [value] });
  }

  get all(): readonly Measure[] {
    return [...this.#measures.values()];
  }
}
