import { writeFileSync } from "node:fs";
import Mocha from "mocha";

/** Mocha takes one reporter: this one prints as `spec` does and leaves the counts in a file for `all.ts` to add up. */
export default class CountingSpec extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const { file } = options.reporterOptions as { file: string };
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats;
      writeFileSync(file, JSON.stringify({ passed: passes, failed: failures }));
    });
  }
}
