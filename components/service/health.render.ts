import type { HealthCheck } from "../config/service.ts";
import { dockerDuration, milliseconds } from "../shared/duration.ts";
import { quote } from "../shared/shell.ts";

/** How a container is asked whether it works. */
export type Check = Pick<HealthCheck, "startInterval" | "interval" | "timeout" | "retries" | "startPeriod"> & {
  /** In Docker's form: `CMD` and an argument list, or `CMD-SHELL` and a line for a shell. */
  readonly test: readonly string[];
};

/** Tells that a container has answered well before. In memory, so that it is gone with the container. */
const marker = "/dev/shm/berth-healthy";

/**
 * The check as Docker runs it, every `startInterval`: a rollout waits for the first good answer. Each costs the host as
 * much as the start of a process in a container, so the good ones after it are kept back until `interval` is over. Bad
 * ones come at once until then, and later after another `timeout`: what fails at once is given as much time as what
 * hangs, however short `startInterval` is. What runs without a shell is left as it is: its image may have none.
 *
 * Docker's own `start-interval`, from version 25 on, is no property of the provider's services.
 *
 * @see https://docs.docker.com/reference/dockerfile/#healthcheck
 */
export function renderHealthCheck(check: Check) {
  const { test, startInterval, interval, timeout, retries, startPeriod } = check;
  const [form, line = ""] = test;
  const pauseMs = milliseconds(interval) - milliseconds(startInterval);
  const pauses = form === "CMD-SHELL" && pauseMs > 0;
  // Twice the time, for a busy host is slow to start and to end what it runs.
  const docker = pauses ? (`${2 * milliseconds(timeout) + pauseMs} ms` as const) : timeout;
  return {
    tests: pauses ? ["CMD-SHELL", pausing(line, milliseconds(timeout), pauseMs)] : [...test],
    interval: dockerDuration(startInterval),
    timeout: dockerDuration(docker),
    retries,
    startPeriod: dockerDuration(startPeriod),
  };
}

/** The longest time until a container that works has said so. */
export function untilHealthyMs({ startPeriod, startInterval, timeout, retries }: Omit<Check, "test">): number {
  return milliseconds(startPeriod) + retries * (milliseconds(startInterval) + milliseconds(timeout));
}

function pausing(line: string, timeoutMs: number, pauseMs: number): string {
  const seconds = (ms: number): number => Math.ceil(ms / 1000);
  const [patience, pause] = [seconds(timeoutMs), seconds(pauseMs)];
  return [
    `if ! timeout ${patience} sh -c ${quote(line)}; then [ ! -e ${marker} ] || sleep ${patience}; exit 1; fi`,
    // The answer is a good one, whether it can be noted or not.
    `if [ -e ${marker} ]; then sleep ${pause}; else touch ${marker}; exit 0; fi`,
  ].join("; ");
}
