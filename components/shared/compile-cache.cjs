// Loaded before the program (Pulumi.yaml, `nodeargs`): what V8 compiled of the SDK is kept for the next run, which then
// starts in half the time. In the system's directory for temporary files, or where NODE_COMPILE_CACHE says.
// https://nodejs.org/api/module.html#moduleenablecompilecacheoptions
require("node:module").enableCompileCache();
