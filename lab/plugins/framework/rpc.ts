import * as grpc from "@grpc/grpc-js";

/** The engine's own limit for one message. */
const maximumMessageBytes = 400 * 1024 * 1024;

export const channelOptions: grpc.ChannelOptions = {
  "grpc.max_receive_message_length": maximumMessageBytes,
  "grpc.max_send_message_length": maximumMessageBytes,
};

/** Serves on a free port of this machine only and prints the port: the engine reads it from the first line. */
export async function listen(services: readonly Service[], stop: () => void): Promise<void> {
  const server = new grpc.Server(channelOptions);
  for (const { definition, implementation } of services) server.addService(definition, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  // The engine interrupts a plugin when it is done with it. Ended by the signal itself, Node would not keep what it
  // compiled, and each start would take twice as long.
  process.once("SIGINT", () => {
    stop();
    process.exit();
  });
  stopWithParent(stop);
  process.stdout.write(`${port}\n`);
}

export interface Service {
  readonly definition: grpc.ServiceDefinition;
  readonly implementation: grpc.UntypedServiceImplementation;
}

/** An engine that was killed can't stop its plugins, so they notice by themselves. */
function stopWithParent(stop: () => void): void {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid === parent) return;
    stop();
    process.exit(1);
  }, 1000).unref();
}

/** Turns a function from request to response into what grpc-js wants. */
export function unary<Request, Response>(
  answer: (request: Request, call: grpc.ServerUnaryCall<Request, Response>) => Response | Promise<Response>,
  toStatus: (error: unknown) => Partial<grpc.StatusObject> = statusOf,
): grpc.handleUnaryCall<Request, Response> {
  return (call, callback) => {
    const answered = (async () => answer(call.request, call))();
    answered.then(
      (response) => {
        callback(null, response);
      },
      (error: unknown) => {
        callback(toStatus(error));
      },
    );
  };
}

export function statusOf(error: unknown): Partial<grpc.StatusObject> {
  return { code: grpc.status.UNKNOWN, details: error instanceof Error ? error.message : String(error) };
}
