import { settings } from "./settings.ts";

let requests = 0;
let jobs = 0;

export function countRequest(): void {
  requests++;
}

export function countJob(): void {
  jobs++;
}

/** Prometheus' text format. */
export function renderMetrics({ draining }: { draining: boolean }): string {
  return [
    "# TYPE app_info gauge",
    `app_info{system="${settings.system}",version="${settings.version}"} 1`,
    "# TYPE http_requests_total counter",
    `http_requests_total ${requests}`,
    "# TYPE app_jobs_done_total counter",
    `app_jobs_done_total ${jobs}`,
    "# TYPE app_draining gauge",
    `app_draining ${draining ? 1 : 0}`,
    "# TYPE process_resident_memory_bytes gauge",
    `process_resident_memory_bytes ${process.memoryUsage.rss()}`,
    "",
  ].join("\n");
}
