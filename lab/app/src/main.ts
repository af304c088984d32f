import { isCrashing, log, settings } from "./settings.ts";

/** berth-app <role>: `web`, `worker` and `placeholder` run until SIGTERM, `migrate` runs to its end. */
const role = process.argv[2] ?? "web";
switch (role) {
  case "web":
    (await import("./web.ts")).serve();
    break;
  case "worker":
    (await import("./worker.ts")).work();
    break;
  case "migrate":
    await (await import("./migrate.ts")).migrate();
    break;
  case "placeholder":
    (await import("./placeholder.ts")).standIn();
    break;
  default:
    log("unknown role", { role });
    process.exitCode = 64;
}

if (isCrashing && role !== "migrate") {
  setTimeout(() => {
    log("fatal: settings of this release cannot be read", { reason: `${settings.version} ends on purpose` });
    process.exit(1);
  }, 300);
}
