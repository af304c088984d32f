import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules/", ".lab/", ".berth/", "tests/golden/"] },
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // An Output in a template literal prints "Calling [toString] on an [Output<T>] is not supported":
      // restrict-template-expressions refuses it, numbers are harmless.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // `{ left, ...rest }` is how a key is left out.
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true }],
      // A resource is created for its effect.
      "no-new": "off",
      "@typescript-eslint/no-unnecessary-condition": [
        "error",
        { allowConstantLoopConditions: "only-allowed-literals" },
      ],
    },
  },
  {
    files: ["tests/**/*.ts"],
    // `describe`/`it` return promises only under other runners; assertions narrow with `!` after checks.
    rules: { "@typescript-eslint/no-non-null-assertion": "off" },
  },
);
