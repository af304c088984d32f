import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { verbs } from "../../operations/main.ts";
import {
  componentShape,
  compositionRoot,
  configurationReader,
  cycles,
  defaults,
  documentedCommands,
  errorForm,
  exactVersions,
  links,
  noFixedSleep,
  noImageInCode,
  noMachinePath,
  noSystemByName,
  nothingSwept,
  oneWay,
  type Rule,
  type TextFile,
} from "./architecture.rules.ts";

const root = join(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  scripts: Record<string, string>;
  dependencies: Record<string, string>;
};

/** Files that git knows or would take, so that the rules also see what is about to be committed. */
const tree: TextFile[] = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\n")
  .filter((path) => /\.(ts|sh|md|ya?ml|js)$|Dockerfile/.test(path) && !path.startsWith("tests/golden/"))
  // This file is full of what the rules look for.
  .filter((path) => path !== "tests/contract/architecture.test.ts")
  // A file that somebody just removed is still in the index.
  .filter((path) => existsSync(join(root, path)))
  .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

const systems = tree.flatMap(({ path }) => /^systems\/([^/]+)\/system\.ts$/.exec(path)?.[1] ?? []);

interface Case {
  readonly rule: Rule;
  readonly says: string;
  /** Files that break the rule, each with a part of what is said about it. */
  readonly broken: readonly (readonly [path: string, text: string, complaint: RegExp])[];
}

const component = (body: string) => `export class Fleet extends pulumi.ComponentResource { constructor() { ${body} } }`;

const cases: readonly Case[] = [
  {
    rule: componentShape,
    says: "names every component by its place and ends it with its outputs",
    broken: [
      [
        "components/fleet/fleet.ts",
        component('super("berth:hosts:Fleet", name, {}, opts); this.registerOutputs({});'),
        /its token is "berth:hosts:Fleet"; write "berth:fleet:Fleet"/,
      ],
      [
        "components/fleet/fleet.ts",
        component('super("berth:fleet:Fleet", name, {}, opts);'),
        /must end with this\.registerOutputs/,
      ],
      [
        "components/fleet/fleet.ts",
        component('super("berth:fleet:Fleet", name, {}, opts); this.registerOutputs({}); this.a = 1;'),
        /must end with/,
      ],
      [
        "components/fleet/hosts.ts",
        component('super("berth:fleet:Fleet", name, {}, opts); this.registerOutputs({});'),
        /belongs into fleet\.ts/,
      ],
    ],
  },
  {
    rule: configurationReader,
    says: "reads configuration and environment in one place",
    broken: [
      ["components/edge/edge.ts", "const debug = process.env.DEBUG;", /process\.env/],
      ["components/edge/edge.ts", "const config = new pulumi.Config();", /new pulumi\.Config/],
      ["index.ts", "const stack = pulumi.getStack();", /pulumi\.getStack/],
    ],
  },
  {
    rule: compositionRoot,
    says: "only composes in index.ts",
    broken: [
      ["index.ts", 'new docker.Service("a", {});', /new docker\.Service/],
      ["index.ts", 'if (stack === "production") { run(); }', /if \(stack/],
    ],
  },
  {
    rule: defaults,
    says: "gives defaults with ??",
    broken: [
      ["components/edge/edge.ts", "const port = args.port || 443;", /args\.port \|\| 443/],
      ["operations/a.ts", 'const name = given || "local";', /given/],
    ],
  },
  {
    rule: noSystemByName(systems),
    says: "knows no system by its name",
    broken: [
      ["components/edge/edge.ts", 'if (config.system.name === "palmistry") { open(); }', /"palmistry": the core knows/],
      ["operations/a.ts", "const stack = `cap-demo`;", /knows no system/],
    ],
  },
  {
    rule: noImageInCode,
    says: "pins no image in code",
    broken: [
      ["components/edge/edge.ts", 'const image = "nginx:1.30";', /nginx:1\.30/],
      ["systems/a/system.ts", 'const image = "ghcr.io/acme/api:latest";', /an image in code/],
    ],
  },
  {
    rule: noFixedSleep,
    says: "waits for conditions, not for time to pass",
    broken: [
      ["lab/a.ts", "await sleep(2_000);", /sleep\(2_000\)/],
      [
        "tests/lab/a.test.ts",
        "await new Promise((resolve) => setTimeout(resolve, 1000));",
        /setTimeout\(resolve, 1000\)/,
      ],
      ["components/edge/host.sh", "until ready; do\n  sleep 5\ndone", /:2: sleep 5/],
      ["components/fleet/a.ts", "const script = `\nsleep 10\n`;", /sleep 10/],
    ],
  },
  {
    rule: noMachinePath,
    says: "names no path of one machine",
    broken: [
      ["docs/a.md", ["see ", "work/shared/design.md"].join("/"), /is a path of one machine/],
      ["lab/a.ts", `const key = "${["", "home", "ann", "key"].join("/")}";`, /home/],
    ],
  },
  {
    rule: nothingSwept,
    says: "hides no failure and leaves nothing for later",
    broken: [
      ["lab/a.ts", `// TODO later`, /do it or drop it/],
      ["lab/a.sh", `rm file || true`, /handle the failure/],
      ["lab/a.ts", "try { a(); } catch { }", /an empty catch/],
      ["lab/a.ts", `// @ts-ignore`, /mend it/],
      ["lab/a.ts", `// eslint-disable-next-line`, /name the one rule/],
    ],
  },
  {
    rule: errorForm,
    says: "says in every refusal what to do",
    broken: [
      ["operations/a.ts", 'throw new OperatorError("stack: is missing");', /does not say what to do/],
      ["operations/a.ts", 'throw usageError("Stack is missing; add it.");', /begins with a capital letter/],
      [
        "components/fleet/a.ts",
        "throw new pulumi.ResourceError(`hosts: ` + `got ${n}; add one.`, this);",
        /ends with a full stop/,
      ],
    ],
  },
  {
    rule: oneWay,
    says: "lets dependencies point one way",
    broken: [
      ["components/shared/a.ts", 'import { load } from "../config/load.ts";', /uses components\/config\/load\.ts/],
      ["components/fleet/a.ts", 'import type { Edge } from "../edge/edge.ts";', /uses components\/edge\/edge\.ts/],
      ["components/fleet/a.ts", 'const x = await import("../../operations/main.ts");', /uses operations\/main\.ts/],
      ["operations/a.ts", 'import { until } from "../tests/support/until.ts";', /uses tests/],
      ["components/attic/a.ts", "export {};", /room attic has no line/],
    ],
  },
];

/** What the rules find and is right all the same; may only become less. */
const known: readonly string[] = [
  // The text may be empty, not missing.
  'list(web, "or") || "a web service"',
];

describe("the source tree", function () {
  // The first rule parses everything.
  this.timeout(60_000);

  for (const { rule, says } of cases) {
    it(says, () => {
      const complaints = tree.flatMap(rule).filter((complaint) => !known.some((entry) => complaint.includes(entry)));
      assert.deepEqual(complaints, []);
    });
  }

  it("has no file that needs itself", () => {
    assert.deepEqual(cycles(tree), []);
  });

  it("documents only commands that exist", () => {
    const scripts = Object.keys(manifest.scripts);
    assert.deepEqual(
      tree.flatMap((file) => documentedCommands(file, scripts, Object.keys(verbs))),
      [],
    );
  });

  it("links only to files that exist", () => {
    assert.deepEqual(
      tree.flatMap((file) => links(file, (path) => existsSync(join(root, path)))),
      [],
    );
  });

  it("pins every package", () => {
    assert.deepEqual(exactVersions(manifest), []);
  });

  it("is seen by the rules at all", () => {
    const paths = tree.map(({ path }) => path);
    for (const path of ["index.ts", "components/config/load.ts", "operations/main.ts", "README.md"])
      assert.ok(paths.includes(path), path);
  });
});

describe("the rules of the source tree", () => {
  for (const { rule, says, broken } of cases) {
    it(`find what does not hold: ${says}`, () => {
      for (const [path, text, complaint] of broken) assert.match(rule({ path, text }).join("\n"), complaint, text);
    });
  }

  it("find cycles, but take no type for a need", () => {
    const circle = (last: string): TextFile[] => [
      { path: "a.ts", text: 'import "./b.ts";' },
      { path: "b.ts", text: 'export * from "./c.ts";' },
      { path: "c.ts", text: last },
    ];
    assert.deepEqual(cycles(circle('import { a, type A } from "./a.ts";')), ["a.ts → b.ts → c.ts → a.ts"]);
    assert.deepEqual(cycles(circle('const { a } = await import("./a.ts");')), ["a.ts → b.ts → c.ts → a.ts"]);
    assert.deepEqual(cycles(circle('import type { A } from "./a.ts";')), []);
    assert.deepEqual(cycles(circle('import { type A } from "./a.ts";')), []);
  });

  it("find commands and links that lead nowhere, and version ranges", () => {
    const file = {
      path: "docs/a.md",
      text: "`npm run nope`, `npm run --silent berth -- fly`, [x](../gone.md), [y](https://a.test)",
    };
    assert.deepEqual(documentedCommands(file, ["berth"], ["pin"]), [
      "docs/a.md: `npm run nope` is not in package.json",
      "docs/a.md: `npm run berth -- fly` is not a verb",
    ]);
    assert.deepEqual(
      links(file, () => false),
      ["docs/a.md: links to ../gone.md, which does not exist"],
    );
    assert.deepEqual(exactVersions({ dependencies: { a: "^1.0.0" }, devDependencies: { b: "1.0.0" } }), [
      "package.json: a: is a range, got ^1.0.0; pin one version",
    ]);
  });

  it("is what Node can strip of its types, also where only a lab would load it", () => {
    const unreadable = tree.flatMap(({ path, text }) => {
      if (!path.endsWith(".ts")) return [];
      try {
        stripTypeScriptTypes(text);
        return [];
      } catch (error) {
        return [`${path}: ${(error as Error).message}`];
      }
    });
    assert.deepEqual(unreadable, []);
    assert.throws(() => stripTypeScriptTypes("for (const of of [1]) { of; }\nenum A { b }"));
  });
});
