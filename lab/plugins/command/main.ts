import { serve } from "../framework/serve.ts";
import { localCommand, localRun } from "./local.ts";
import { remoteCommand } from "./remote.ts";

await serve({
  name: "command",
  version: "1.2.1",
  config: [],
  configure: () => undefined,
  resources: {
    "command:local:Command": localCommand,
    "command:remote:Command": remoteCommand,
  },
  functions: { "command:local:run": localRun },
});
