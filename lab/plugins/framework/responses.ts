import * as grpc from "@grpc/grpc-js";
import type * as Pb from "@pulumi/pulumi/proto/provider_pb.js";
import pb from "@pulumi/pulumi/proto/provider_pb.js";
import statusPb from "@pulumi/pulumi/proto/status_pb.js";
import anyPb from "google-protobuf/google/protobuf/any_pb.js";
import { changedPaths, isEqual } from "./diff.ts";
import { isWithin, parsePath, valueAt } from "./paths.ts";
import { statusOf } from "./rpc.ts";
import { PartialFailure } from "./types.ts";
import type { CheckFailure, Diff, Properties } from "./types.ts";
import { decode, encode } from "./wire.ts";
import type { Secrets } from "./wire.ts";

export function checkResponse(
  inputs: Properties,
  secrets: Secrets,
  failures: readonly CheckFailure[],
): Pb.CheckResponse {
  const response = new pb.CheckResponse().setInputs(encode(inputs, secrets));
  for (const { property, reason } of failures) {
    // The engine prints the whole value of a named property, so the path goes into the text instead.
    response.addFailures(new pb.CheckFailure().setReason(property === "" ? reason : `${property}: ${reason}`));
  }
  return response;
}

export function diffConfig(request: Pb.DiffRequest): Pb.DiffResponse {
  const olds = decode(request.getOlds()).values;
  const oldInputs = decode(request.getOldInputs()).values;
  const news = decode(request.getNews()).values;
  const changes = changedPaths(oldInputs, news);
  return diffResponse({ changes, replaces: [], deleteBeforeReplace: false }, { olds, oldInputs, news }, []);
}

interface Compared {
  readonly olds: Properties;
  readonly oldInputs: Properties;
  readonly news: Properties;
}

export function diffResponse(diff: Diff, compared: Compared, ignoreChanges: readonly string[]): Pb.DiffResponse {
  const ignored = ignoreChanges.map(parsePath);
  const counts = (path: string) => !ignored.some((pattern) => isWithin(parsePath(path), pattern));
  const changes = [...new Set([...diff.changes, ...diff.replaces])].filter(counts);
  const replaces = diff.replaces.filter(counts);
  const response = new pb.DiffResponse()
    .setChanges(changes.length > 0 ? pb.DiffResponse.DiffChanges.DIFF_SOME : pb.DiffResponse.DiffChanges.DIFF_NONE)
    .setDiffsList([...new Set(changes.map((path) => String(parsePath(path)[0])))])
    .setReplacesList([...new Set(replaces.map((path) => String(parsePath(path)[0])))])
    .setDeletebeforereplace(diff.deleteBeforeReplace && replaces.length > 0)
    .setHasdetaileddiff(true);
  for (const path of changes) {
    response.getDetaileddiffMap().set(path, propertyDiff(path, replaces.includes(path), compared));
  }
  return response;
}

function propertyDiff(path: string, replace: boolean, { olds, oldInputs, news }: Compared): Pb.PropertyDiff {
  const parts = parsePath(path);
  const oldInput = valueAt(oldInputs, parts);
  const wanted = valueAt(news, parts);
  // When the inputs agree it is the live state that differs.
  const inputDiff = !isEqual(oldInput, wanted);
  const present = inputDiff ? oldInput : valueAt(olds, parts);
  const { Kind } = pb.PropertyDiff;
  let kind: Pb.PropertyDiff.Kind = replace ? Kind.UPDATE_REPLACE : Kind.UPDATE;
  if (present === undefined) kind = replace ? Kind.ADD_REPLACE : Kind.ADD;
  else if (wanted === undefined) kind = replace ? Kind.DELETE_REPLACE : Kind.DELETE;
  return new pb.PropertyDiff().setKind(kind).setInputdiff(inputDiff);
}

/** Carries the secrets to where a failure is turned into a status: a half-made resource is stored too. */
class StoredFailure extends Error {
  readonly failure: PartialFailure;
  readonly secrets: Secrets;
  constructor(failure: PartialFailure, secrets: Secrets) {
    super(failure.message);
    this.failure = failure;
    this.secrets = secrets;
  }
}

export async function withSecrets<Result>(secrets: Secrets, operation: () => Promise<Result>): Promise<Result> {
  try {
    return await operation();
  } catch (error) {
    throw error instanceof PartialFailure ? new StoredFailure(error, secrets) : error;
  }
}

export function failureStatus(error: unknown): Partial<grpc.StatusObject> {
  if (!(error instanceof StoredFailure)) return statusOf(error);
  const detail = new pb.ErrorResourceInitFailed()
    .setId(error.failure.id)
    .setProperties(encode(error.failure.outputs, error.secrets))
    .setReasonsList([error.message]);
  const packed = new anyPb.Any();
  packed.pack(detail.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const status = new statusPb.Status().setCode(grpc.status.UNKNOWN).setMessage(error.message).setDetailsList([packed]);
  const metadata = new grpc.Metadata();
  // Go's gRPC reads structured errors from this key; the one for Node has no support of its own.
  metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
  return { ...statusOf(error), metadata };
}
