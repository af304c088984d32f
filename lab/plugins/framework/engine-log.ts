import * as grpc from "@grpc/grpc-js";
import engineRpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import enginePb from "@pulumi/pulumi/proto/engine_pb.js";
import { channelOptions } from "./rpc.ts";
import type { LogSeverity } from "./types.ts";

/** The engine's log: what `pulumi up` shows beside a resource. */
export class EngineLog {
  readonly #client: engineRpc.EngineClient;

  constructor(address: string) {
    this.#client = new engineRpc.EngineClient(address, grpc.credentials.createInsecure(), channelOptions);
  }

  async write(urn: string, severity: LogSeverity, message: string, kind: "line" | "status"): Promise<void> {
    const request = new enginePb.LogRequest();
    request.setUrn(urn);
    request.setSeverity(severities[severity]);
    request.setMessage(message);
    request.setEphemeral(kind === "status");
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#client.log(request, (error) => {
      // A lost status is no loss; the rest goes where the engine looks for what a plugin could not say otherwise.
      if (error !== null && kind !== "status") process.stderr.write(`${message}\n`);
      resolve(undefined);
    });
    await promise;
  }
}

const severities = {
  debug: enginePb.LogSeverity.DEBUG,
  info: enginePb.LogSeverity.INFO,
  warning: enginePb.LogSeverity.WARNING,
  error: enginePb.LogSeverity.ERROR,
};
