/*
 * Loaded before the program (Pulumi.yaml, `nodeargs`), so that the SDK starts quickly (ADR 4).
 *
 * What V8 compiled of it is kept for the next run, in the system's directory for temporary files or where
 * NODE_COMPILE_CACHE says: https://nodejs.org/api/module.html#moduleenablecompilecacheoptions
 */
const Module = require("node:module");

Module.enableCompileCache();

const sdk = Module.createRequire(require.resolve("@pulumi/pulumi/package.json"));

// The compiler and npm's tree, a fifth of a second, serve dynamic providers only, which berth has none of (ADR 2).
later("typescript");
later("@npmcli/arborist");

// So does V8's debugger, which the SDK attaches to the program: with it, all that follows takes a tenth longer.
later("./runtime/closure/v8Hooks.js", { isInitializedAsync: () => Promise.resolve() });

// It maps stack traces to TypeScript sources, for each promise of each resource: half a second of a run. Where Node
// strips the types in place, lines and columns are the source's own.
leaveOut("source-map-support/register");

/** Loads a part of the SDK when something of it is first used, other than what is `known` without it. */
function later(name, known = {}) {
  const file = sdk.resolve(name);
  const load = () => {
    delete require.cache[file];
    return sdk(file);
  };
  let loaded;
  const get = (_, key) => (key === "__esModule" ? true : (known[key] ?? (loaded ??= load())[key]));
  provide(file, new Proxy({}, { get }));
}

function leaveOut(name) {
  provide(sdk.resolve(name), {});
}

function provide(file, exports) {
  require.cache[file] = Object.assign(new Module(file), { loaded: true, exports });
}
