import { required, text } from "./fields.ts";

/** Labels are sets of pairs: `[{ label, value }]`. */
export const labelFields = {
  label: required(text()),
  value: required(text()),
};

/** Everywhere but on a service itself, a changed label replaces what it hangs on. */
export const replacingLabelFields = {
  label: required(text({ replaces: true })),
  value: required(text({ replaces: true })),
};

interface Label {
  readonly label: string;
  readonly value: string;
}

export function labelsToMap(labels: unknown): Record<string, string> | undefined {
  if (!Array.isArray(labels) || labels.length === 0) return undefined;
  return Object.fromEntries((labels as Label[]).map(({ label, value }) => [label, value]));
}

export function labelsFromMap(map: Readonly<Record<string, string>> | null | undefined): Label[] {
  return Object.entries(map ?? {})
    .map(([label, value]) => ({ label, value }))
    .sort((a, b) => (a.label < b.label ? -1 : 1));
}
