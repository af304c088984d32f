/** Says what happens and how long it took. Everything goes to one stream, whole lines only. */
export class Progress {
  readonly #write: (text: string) => void;
  readonly #phases: { readonly title: string; readonly seconds: number }[] = [];

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Phases that are done, in the order in which they ended. */
  get phases(): readonly { readonly title: string; readonly seconds: number }[] {
    return this.#phases;
  }

  say(line: string): void {
    this.#write(`${line}\n`);
  }

  /**
   * Runs one phase. `report` tells a step at once; a phase that stays silent repeats its last step every
   * 20 seconds, so that nobody wonders whether it hangs.
   */
  async phase<T>(title: string, work: (report: (step: string) => void) => Promise<T>): Promise<T> {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    let last = "";
    let heartbeat: NodeJS.Timeout | undefined;
    const report = (step: string) => {
      last = step;
      this.say(`  ${title}: ${step}`);
      clearInterval(heartbeat);
      heartbeat = setInterval(() => {
        this.say(`  ${title}: still ${last} (${seconds().toFixed(0)} s)`);
      }, 20_000);
    };
    try {
      const result = await work(report);
      this.#phases.push({ title, seconds: seconds() });
      this.say(`✓ ${title} (${seconds().toFixed(1)} s)`);
      return result;
    } finally {
      clearInterval(heartbeat);
    }
  }
}
