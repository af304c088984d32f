/** What to say of a run that was ended on purpose. */
export class Interrupted extends Error {
  constructor() {
    super("interrupted; `npm run lab` goes on from here, `npm run lab:down` removes what there is");
  }
}

type Handler = (signal: NodeJS.Signals) => void;

const handlers: Handler[] = [];
let last = 0;

/** From now on Ctrl-C (and SIGTERM) goes to the handler that was set last. */
export function handleInterrupts(first: Handler): void {
  handlers.push(first);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      // npm passes on the signal that the terminal has sent to the whole process group already.
      if (Date.now() - last < 500) return;
      last = Date.now();
      handlers.at(-1)?.(signal);
    });
}

/** Hands interruptions to `handler` while `work` runs. */
export async function interruptible<T>(handler: Handler, work: () => Promise<T>): Promise<T> {
  handlers.push(handler);
  try {
    return await work();
  } finally {
    handlers.pop();
  }
}
