import { createServer } from "node:http";
import { log, settings } from "./settings.ts";

/** Stands where a server of somebody else's would: it answers every question with what it is, health checks too. */
export function standIn(): void {
  const body = `${settings.name}: a placeholder of the lab, not the real one\n`;
  for (const port of settings.ports) {
    createServer((request, response) => {
      request.resume();
      response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" }).end(body);
    }).listen(port, () => {
      log("listening", { port, placeholder: true });
    });
  }
  process.once("SIGTERM", () => {
    log("stopped");
    process.exit(0);
  });
}
