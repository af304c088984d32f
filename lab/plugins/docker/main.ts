import { serve } from "../framework/serve.ts";
import { configure, providerArgumentNames } from "./client.ts";
import { network } from "./network.ts";
import { secret } from "./secret.ts";
import { serviceConfig } from "./service-config.ts";
import { service } from "./service.ts";
import { volume } from "./volume.ts";

await serve({
  name: "docker",
  version: "5.2.0",
  config: providerArgumentNames,
  configure: (values) => configure(values),
  resources: {
    "docker:index/network:Network": network,
    "docker:index/volume:Volume": volume,
    "docker:index/secret:Secret": secret,
    "docker:index/serviceConfig:ServiceConfig": serviceConfig,
    "docker:index/service:Service": service,
  },
});
