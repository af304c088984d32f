import { setTimeout as pause } from "node:timers/promises";

/** Asks until there is an answer; fails with what was awaited when there is none in time. */
export async function until<Answer>(
  what: string,
  milliseconds: number,
  ask: () => Answer | undefined | Promise<Answer | undefined>,
  interval = 50,
): Promise<Answer> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${milliseconds} ms in vain until ${what}`);
    await pause(interval);
  }
}
