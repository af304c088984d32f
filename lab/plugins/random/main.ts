import { serve } from "../framework/serve.ts";
import { randomId } from "./random-id.ts";
import { randomPassword } from "./random-password.ts";

await serve({
  name: "random",
  version: "4.21.2",
  config: [],
  configure: () => undefined,
  resources: {
    "random:index/randomId:RandomId": randomId,
    "random:index/randomPassword:RandomPassword": randomPassword,
  },
});
