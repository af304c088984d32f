import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import providerRpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import statusPb from "@pulumi/pulumi/proto/status_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import { unknown } from "../../lab/plugins/framework/types.ts";
import { decode, encode } from "../../lab/plugins/framework/wire.ts";

const type = "sample:index:Thing";
const urn = `urn:pulumi:s::p::a:b:Component$${type}::thing`;

describe("a served plugin", () => {
  let child: ChildProcess;
  let client: Record<
    string,
    (request: object, done: (error: grpc.ServiceError | null, response: never) => void) => void
  >;

  before(async () => {
    const program = join(import.meta.dirname, "../support/sample-plugin.ts");
    child = spawn(process.execPath, [program, "127.0.0.1:1"], { stdio: ["ignore", "pipe", "inherit"] });
    const [port] = (await once(child.stdout!.setEncoding("utf8"), "data")) as [string];
    assert.match(port, /^\d+\n$/, "the port, and nothing else, on the first line");
    const address = `127.0.0.1:${port.trim()}`;
    client = new providerRpc.ResourceProviderClient(address, grpc.credentials.createInsecure()) as never;
    await ask("configure", new pb.ConfigureRequest().setArgs(encode({ endpoint: "e", version: "1.2.3" })));
  });
  after(() => {
    child.kill();
  });

  const ask = <Response>(method: string, request: object) =>
    new Promise<Response>((resolve, reject) => {
      client[method]!(request, (error: grpc.ServiceError | null, response: never) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  const create = (inputs: object, secrets = {}) =>
    new pb.CreateRequest()
      .setUrn(urn)
      .setType(type)
      .setProperties(encode({ ...inputs }, secrets));

  it("says who it is and that it takes secrets, but neither outputs nor resource references", async () => {
    const info = await ask<{ getVersion(): string }>("getPluginInfo", new emptyPb.Empty());
    assert.equal(info.getVersion(), "1.2.3");
    const hands = await ask<Pb.ProviderHandshakeResponse>("handshake", new pb.ProviderHandshakeRequest());
    assert.deepEqual(
      [hands.getAcceptSecrets(), hands.getAcceptOutputs(), hands.getAcceptResources()],
      [true, false, false],
    );
    const schema = await ask<Pb.GetSchemaResponse>("getSchema", new pb.GetSchemaRequest());
    assert.ok(type in (JSON.parse(schema.getSchema()) as { resources: object }).resources);
  });

  it("refuses provider arguments that it does not know, and lets the engine's own pass", async () => {
    const news = encode({ endpoint: "e", endpiont: "e", version: "1", pluginDownloadURL: "u" });
    const response = await ask<Pb.CheckResponse>("checkConfig", new pb.CheckRequest().setNews(news));
    const reasons = response.getFailuresList().map((failure) => failure.getReason());
    assert.deepEqual(reasons, ["endpiont: unknown provider argument"]);
  });

  it("shows a changed provider argument as an update", async () => {
    const request = new pb.DiffRequest().setOldInputs(encode({ endpoint: "a" })).setNews(encode({ endpoint: "b" }));
    const response = await ask<Pb.DiffResponse>("diffConfig", request);
    assert.deepEqual([response.getDiffsList(), response.getReplacesList()], [["endpoint"], []]);
  });

  it("hands its configuration to every operation, less what the engine added", async () => {
    const response = await ask<Pb.CreateResponse>("create", create({}));
    assert.deepEqual(decode(response.getProperties()).values["configured"], { endpoint: "e" });
  });

  it("puts the path of a failed check into its text, where no value is printed with it", async () => {
    const request = new pb.CheckRequest()
      .setUrn(urn)
      .setType("sample:index:Fixed")
      .setNews(encode({ a: 1 }));
    const [failure] = (await ask<Pb.CheckResponse>("check", request)).getFailuresList();
    assert.deepEqual([failure?.getProperty(), failure?.getReason()], ["", "a.b: is wrong"]);
  });

  it("marks what is always secret from the check on", async () => {
    const request = new pb.CheckRequest()
      .setUrn(urn)
      .setType(type)
      .setNews(encode({ password: "p", name: "n" }));
    const { secrets } = decode((await ask<Pb.CheckResponse>("check", request)).getInputs());
    assert.deepEqual(secrets, { password: true });
  });

  it("previews a create without making anything: inputs as they are, the rest unknown", async () => {
    const request = create({ name: "n", fail: "whole", size: 3 }, { name: true }).setPreview(true);
    const response = await ask<Pb.CreateResponse>("create", request);
    const { values, secrets } = decode(response.getProperties());
    assert.equal(response.getId(), "");
    assert.deepEqual(values, { name: "n", fail: "whole", size: 3, password: unknown, revision: unknown });
    assert.deepEqual(secrets, { name: true, password: true });
  });

  it("previews an update: what may change is unknown, the rest as before", async () => {
    const olds = encode({ name: "n", password: "p", size: 1, revision: 1, dropped: true });
    const request = new pb.UpdateRequest().setUrn(urn).setType(type).setId("id").setOlds(olds);
    request.setNews(encode({ name: "n" })).setPreview(true);
    const response = await ask<Pb.UpdateResponse>("update", request);
    const { values } = decode(response.getProperties());
    assert.deepEqual(values, { name: "n", password: "p", size: 1, revision: unknown });
  });

  it("keeps secret what came in secret, whole lists included", async () => {
    const inputs = { env: { A: "a", B: "b" }, list: [{ x: 1 }, { x: 2 }] };
    const request = create(inputs).setProperties(encode(inputs, { env: { A: true }, list: true }));
    const response = await ask<Pb.CreateResponse>("create", request);
    assert.deepEqual(decode(response.getProperties()).secrets, { env: { A: true }, list: true, password: true });
  });

  it("reports a half-made resource with its outputs, secrets marked, and a refused one without", async () => {
    const half = await ask("create", create({ fail: "half", token: "t" }, { token: true })).catch(
      (e: unknown) => e as grpc.ServiceError,
    );
    const [packed] = (half as grpc.ServiceError).metadata.get("grpc-status-details-bin");
    const [detail] = statusPb.Status.deserializeBinary(packed as Buffer).getDetailsList();
    const failed = pb.ErrorResourceInitFailed.deserializeBinary(detail!.getValue_asU8());
    assert.deepEqual([failed.getId(), failed.getReasonsList()], ["half-id", ["not well"]]);
    assert.deepEqual(decode(failed.getProperties()).secrets, { token: true, password: true });
    await assert.rejects(ask("create", create({ fail: "whole" })), (error: grpc.ServiceError) => {
      assert.equal(error.details, "refused");
      return error.metadata.get("grpc-status-details-bin").length === 0;
    });
  });

  it("details each change by path, and honours ignoreChanges", async () => {
    const olds = { name: "a", labels: { "x.y": "1", z: "1" }, list: [1, 2] };
    const news = { name: "b", labels: { "x.y": "2", new: "1" }, list: [1, 2, 3] };
    const request = new pb.DiffRequest().setUrn(urn).setType(type).setId("id").setOlds(encode(olds));
    request.setOldInputs(encode(olds)).setNews(encode(news));
    const response = await ask<Pb.DiffResponse>("diff", request);
    const { Kind } = pb.PropertyDiff;
    const detailed = Object.fromEntries(response.toObject().detaileddiffMap.map(([path, { kind }]) => [path, kind]));
    assert.deepEqual(detailed, {
      name: Kind.UPDATE_REPLACE,
      'labels["x.y"]': Kind.UPDATE,
      "labels.z": Kind.DELETE,
      "labels.new": Kind.ADD,
      "list[2]": Kind.ADD,
    });
    assert.deepEqual([response.getReplacesList(), response.getDeletebeforereplace()], [["name"], true]);
    const ignoring = await ask<Pb.DiffResponse>("diff", request.setIgnorechangesList(["name", "labels", "list[*]"]));
    assert.equal(ignoring.getChanges(), pb.DiffResponse.DiffChanges.DIFF_NONE);
    assert.equal(ignoring.getDeletebeforereplace(), false);
  });

  it("says of a resource that is gone that it has no id", async () => {
    const read = (id: string) =>
      new pb.ReadRequest()
        .setUrn(urn)
        .setType(type)
        .setId(id)
        .setProperties(encode({ a: 1 }));
    assert.equal((await ask<Pb.ReadResponse>("read", read("gone"))).getId(), "");
    assert.equal((await ask<Pb.ReadResponse>("read", read("id"))).getId(), "id");
  });

  it("returns what is stored where a type can't be read, and refuses to update one that can't be", async () => {
    const fixed = "sample:index:Fixed";
    const read = new pb.ReadRequest()
      .setUrn(urn)
      .setType(fixed)
      .setId("id")
      .setProperties(encode({ a: 1 }));
    const response = await ask<Pb.ReadResponse>("read", read.setInputs(encode({ a: 2 })));
    assert.deepEqual(decode(response.getProperties()).values, { a: 1 });
    assert.deepEqual(decode(response.getInputs()).values, { a: 2 });
    const update = new pb.UpdateRequest().setUrn(urn).setType(fixed).setId("id").setNews(encode({}));
    await assert.rejects(ask("update", update), { details: `${fixed} cannot be updated in place` });
  });

  it("runs functions, and refuses functions and types that it does not have", async () => {
    const invoke = (token: string) => new pb.InvokeRequest().setTok(token).setArgs(encode({ n: 21 }));
    const response = await ask<Pb.InvokeResponse>("invoke", invoke("sample:index:double"));
    assert.deepEqual(decode(response.getReturn()).values, { n: 42 });
    await assert.rejects(ask("invoke", invoke("sample:index:triple")), {
      details: "unknown function sample:index:triple",
    });
    await assert.rejects(ask("check", new pb.CheckRequest().setUrn(urn).setType("sample:index:Other")), {
      details: "unknown resource type sample:index:Other",
    });
    await assert.rejects(ask("construct", new pb.ConstructRequest()), { code: grpc.status.UNIMPLEMENTED });
  });

  it("stops an operation when its custom timeout is over", async () => {
    await assert.rejects(ask("create", create({ fail: "never ends" }).setTimeout(0.1)), { details: "stopped" });
  });

  it("stops every operation when the engine cancels", async () => {
    const running = assert.rejects(ask("create", create({ fail: "never ends" })), { details: "stopped" });
    await ask("cancel", new emptyPb.Empty());
    await running;
  });
});
