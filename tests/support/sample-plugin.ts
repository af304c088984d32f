import { serve } from "../../lab/plugins/framework/serve.ts";
import { structuralDiff } from "../../lab/plugins/framework/diff.ts";
import { PartialFailure } from "../../lab/plugins/framework/types.ts";

/** A plugin with one resource type, whose behaviour its inputs choose; run by the framework's own tests. */
await serve({
  name: "sample",
  version: "1.2.3",
  config: ["endpoint"],
  configure: (values) => {
    if (values["endpoint"] === "nowhere") throw new Error("nothing answers at nowhere");
    return { values };
  },
  resources: {
    "sample:index:Thing": {
      secretOutputs: ["password"],
      computed: ["password", "size", "revision"],
      volatile: ["revision"],
      check: (news) => ({ inputs: news, failures: [] }),
      diff: ({ oldInputs, news }) =>
        structuralDiff(oldInputs, news, { replaceOn: ["name"], deleteBeforeReplace: true }),
      create(inputs, { client, signal }) {
        const outputs = { ...inputs, password: "drawn", size: 1, revision: 1 };
        if (inputs["fail"] === "half") throw new PartialFailure("not well", "half-id", outputs);
        if (inputs["fail"] === "whole") throw new Error("refused");
        if (inputs["fail"] === "never ends") {
          return new Promise((_, reject) => {
            signal.addEventListener("abort", () => {
              reject(new Error("stopped"));
            });
          });
        }
        return Promise.resolve({ id: "id", outputs: { ...outputs, configured: client.values } });
      },
      read: (id, olds, inputs) => Promise.resolve(id === "gone" ? undefined : { id, inputs, outputs: olds }),
      update: ({ olds, news }) => Promise.resolve({ ...olds, ...news, revision: 2 }),
      delete: () => Promise.resolve(),
    },
    "sample:index:Fixed": {
      computed: [],
      check: (news) => ({ inputs: news, failures: [{ property: "a.b", reason: "is wrong" }] }),
      diff: ({ oldInputs, news }) => structuralDiff(oldInputs, news),
      create: (inputs) => Promise.resolve({ id: "id", outputs: inputs }),
      delete: () => Promise.resolve(),
    },
  },
  functions: { "sample:index:double": ({ n }) => Promise.resolve({ n: 2 * (n as number) }) },
});
