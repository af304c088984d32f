import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { countJob, renderMetrics } from "./metrics.ts";
import { Redis } from "./redis.ts";
import { isBad, log, secret, settings } from "./settings.ts";

const queue = "jobs";
const state = {
  stopping: false,
  /** Whether the last word from the queue was good; a worker without a queue has nothing to be unhealthy about. */
  connected: false,
};

/** Takes jobs from a Redis list, one at a time. On SIGTERM it finishes the job in hand and ends. */
export function work(): void {
  const url = secret("REDIS_URL");
  state.connected = url === undefined;
  createServer((request, response) => {
    const healthy = state.connected && !isBad;
    if (request.url === "/metrics") response.end(renderMetrics({ draining: state.stopping }));
    else response.writeHead(healthy ? 200 : 503).end(healthy ? "ok\n" : "unhealthy\n");
  }).listen(settings.port);
  process.once("SIGTERM", () => {
    state.stopping = true;
    log("draining");
    // An idle worker waits for at most one second in the queue.
    if (url === undefined) process.exit(0);
  });
  log("working", { queue: url === undefined ? "none: REDIS_URL is not set" : queue });
  if (url !== undefined) void takeJobs(url);
}

async function takeJobs(url: string): Promise<void> {
  while (!state.stopping) {
    try {
      const redis = await Redis.open(url);
      state.connected = true;
      await takeJobsFrom(redis);
      redis.close();
    } catch (error) {
      state.connected = false;
      log("queue lost", { error: String(error) });
      await sleep(500);
    }
  }
  log("stopped", { how: "drained" });
  process.exit(0);
}

async function takeJobsFrom(redis: Redis): Promise<void> {
  while (!state.stopping) {
    const taken = await redis.send("BLPOP", queue, "1");
    if (Array.isArray(taken)) await doJob(String(taken[1]));
  }
}

/** A job is a number of milliseconds of work. */
async function doJob(job: string): Promise<void> {
  await sleep(Math.min(Number(job) || 0, 60_000));
  countJob();
  log("job done", { job });
}
