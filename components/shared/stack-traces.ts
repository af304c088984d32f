/*
 * Pulumi's SDK maps stack traces back to TypeScript sources, and takes one for each promise of each resource: half a
 * second of a run. Here Node strips the types in place, lines and columns are the source's own, and V8's trace is right.
 */
Reflect.deleteProperty(Error, "prepareStackTrace");
