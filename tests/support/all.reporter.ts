import { writeFileSync } from "node:fs";
import Mocha from "mocha";

/**
 * Mocha takes one reporter: this one prints as `spec` does and leaves counts and failures in a file for `all.ts`, which
 * adds up the ones and repeats the others at the end.
 */
export default class CountingSpec extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const { file } = options.reporterOptions as { file: string };
    const problems: string[] = [];
    runner.on(Mocha.Runner.constants.EVENT_TEST_FAIL, (test: Mocha.Test, error: Error) => {
      problems.push(`${test.fullTitle()}: ${error.message.split("\n", 1)[0]}`);
    });
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats;
      writeFileSync(file, JSON.stringify({ passed: passes, failed: failures, problems }));
    });
  }
}
