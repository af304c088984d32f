import { createHash } from "node:crypto";
import { posix } from "node:path";
import type { RunningService } from "../config/service.ts";
import type { Platform } from "../service/service.ts";
import type { ConfigFile } from "../service/workload.ts";
import { docker } from "../shared/providers.ts";

/**
 * The configuration files of a service as swarm configs. A changed text makes a new config under a new name; the old
 * one is removed after the rollout, as with secrets, because until then the swarm may go back to it.
 */
export function createFiles(name: string, files: RunningService["files"], platform: Platform): ConfigFile[] {
  return Object.entries(files).map(([path, text]) => {
    const config = new docker.ServiceConfig(
      fileName(name, path),
      { data: Buffer.from(text).toString("base64") },
      { provider: platform.provider },
    );
    return { path, configId: config.id, configName: config.name };
  });
}

/** Docker takes 64 characters, of which Pulumi adds 8; paths may end in the same name. */
function fileName(service: string, path: string): string {
  const digest = createHash("sha256").update(path).digest("hex").slice(0, 6);
  const base = posix.basename(path).replaceAll(/[^a-zA-Z0-9_.-]/g, "-");
  return `${service}-${base.slice(-16)}-${digest}`;
}
