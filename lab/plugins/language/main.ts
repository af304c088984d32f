import { join } from "node:path";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import languageRpc from "@pulumi/pulumi/proto/language_grpc_pb.js";
import type * as Pb from "@pulumi/pulumi/proto/language_pb.js";
import pb from "@pulumi/pulumi/proto/language_pb.js";
import pluginPb from "@pulumi/pulumi/proto/plugin_pb.js";
import emptyPb from "google-protobuf/google/protobuf/empty_pb.js";
import { listen, unary } from "../framework/rpc.ts";
import { installDependencies, packageManager, packageManagerVersion } from "./install.ts";
import { parseOptions } from "./options.ts";
import { programDependencies, readManifest, requiredPlugins } from "./packages.ts";
import { runProgram } from "./run.ts";

/*
 * Stand-in for `pulumi-language-nodejs`: tells the engine which plugins a Node program needs, and runs it.
 * What only `pulumi convert`, policy packs and component providers use stays with the official one.
 */

const version = readManifest(join(import.meta.dirname, "../../../node_modules/@pulumi/pulumi")).version ?? "";
const cancelled = new AbortController();
let engineAddress = process.argv.slice(2).find((argument) => !argument.startsWith("-")) ?? "";

const implementation = {
  handshake: unary((request: Pb.LanguageHandshakeRequest) => {
    engineAddress = request.getEngineAddress();
    return new pb.LanguageHandshakeResponse();
  }),
  getPluginInfo: unary(() => new pluginPb.PluginInfo().setVersion(version)),
  getRequiredPackages: unary((request: Pb.GetRequiredPackagesRequest) => {
    const response = new pb.GetRequiredPackagesResponse();
    for (const plugin of requiredPlugins(request.getInfo()?.getProgramDirectory() ?? ".")) {
      const dependency = new pluginPb.PackageDependency().setKind("resource");
      response.addPackages(dependency.setName(plugin.name).setVersion(plugin.version).setServer(plugin.server));
    }
    return response;
  }),
  run: unary(async (request: Pb.RunRequest, call: ServerUnaryCall<Pb.RunRequest, Pb.RunResponse>) => {
    const abandoned = new AbortController();
    call.once("cancelled", () => {
      abandoned.abort();
    });
    const signal = AbortSignal.any([cancelled.signal, abandoned.signal]);
    const { error, bail } = await runProgram(request, engineAddress, signal);
    return new pb.RunResponse().setError(error).setBail(bail);
  }),
  cancel: unary(() => {
    cancelled.abort();
    return new emptyPb.Empty();
  }),
  getProgramDependencies: unary((request: Pb.GetProgramDependenciesRequest) => {
    const directory = request.getInfo()?.getProgramDirectory() ?? ".";
    const dependencies = programDependencies(directory, request.getTransitivedependencies());
    return new pb.GetProgramDependenciesResponse().setDependenciesList(
      dependencies.map(({ name, version: found }) => new pb.DependencyInfo().setName(name).setVersion(found)),
    );
  }),
  about: unary((request: Pb.AboutRequest) => {
    const manager = packageManager(request.getInfo());
    const response = new pb.AboutResponse().setExecutable(process.execPath).setVersion(process.version);
    const metadata = response.getMetadataMap().set("packagemanager", manager);
    const found = packageManagerVersion(manager);
    if (found !== undefined) metadata.set("packagemanagerVersion", found);
    return response;
  }),
  runtimeOptionsPrompts: unary((request: Pb.RuntimeOptionsRequest) => {
    const response = new pb.RuntimeOptionsResponse();
    if (parseOptions(request.getInfo()?.getOptions()).packagemanager !== "auto") return response;
    const npm = new pb.RuntimeOptionPrompt.RuntimeOptionValue().setStringvalue("npm").setDisplayname("npm");
    const prompt = new pb.RuntimeOptionPrompt().setKey("packagemanager").setChoicesList([npm]).setDefault(npm);
    response.addPrompts(prompt.setDescription("The package manager to use for installing dependencies"));
    return response;
  }),
  template: unary(() => new pb.TemplateResponse()),
  installDependencies,
};

if (process.argv.includes("-version") || process.argv.includes("--version")) {
  process.stdout.write(`${version}\n`);
} else {
  await listen([{ definition: languageRpc.LanguageRuntimeService, implementation }], () => {
    cancelled.abort();
  });
}
