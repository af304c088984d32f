import assert from "node:assert/strict";

/** Something wrong, and all that is said about it: nothing less, nothing more. */
export type Refusal = readonly [title: string, changes: Record<string, unknown>, problems: readonly string[]];

/** One test for each refusal. */
export function itRejects(
  refusals: readonly Refusal[],
  problemsAfter: (changes: Record<string, unknown>) => readonly string[],
): void {
  for (const [title, changes, problems] of refusals) {
    it(`rejects ${title}`, () => {
      assert.deepEqual(problemsAfter(changes), problems);
    });
  }
}
