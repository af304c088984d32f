import { posix } from "node:path";
import ts from "typescript";

/*
 * House rules that a reader cannot be relied on to see. Each rule looks at one text file, or at all of them, and
 * answers with what is wrong; none has side effects, so that each can be shown a file that breaks it.
 */

export interface TextFile {
  /** Relative to the project root. */
  readonly path: string;
  readonly text: string;
}

export type Rule = (file: TextFile) => string[];

/** Everything of a tree that somebody reads: what the rules are given. */
export type Tree = readonly TextFile[];

const inRoom = ({ path }: TextFile): boolean => /^components\/[a-z]+\/[^/]+\.ts$/.test(path);
const isProgram = (file: TextFile): boolean =>
  file.path === "index.ts" || inRoom(file) || file.path.startsWith("systems/");
const isTypeScript = ({ path }: TextFile): boolean => path.endsWith(".ts");

/** A component is named by its place, and shows its outputs as the last thing it does. */
export const componentShape: Rule = (file) => {
  if (!inRoom(file)) return [];
  const [, room = "", name = ""] = /^components\/([a-z]+)\/([^/]+)\.ts$/.exec(file.path) ?? [];
  return nodes(file)
    .filter(ts.isClassDeclaration)
    .filter((node) =>
      /\bComponentResource\b/.test(node.heritageClauses?.map((clause) => clause.getText()).join() ?? ""),
    )
    .flatMap((node) => {
      const className = node.name?.text ?? "";
      const constructor = node.members.find(ts.isConstructorDeclaration);
      const statements = constructor?.body?.statements ?? [];
      const construction = statements.map((statement) => statement.getText()).find((text) => text.startsWith("super("));
      const token = /^super\(\s*("[^"]*")/.exec(construction ?? "")?.[1] ?? "nothing";
      const wanted = JSON.stringify(`berth:${room}:${className}`);
      const kebab = className.replace(/(?<=[a-z])[A-Z]/g, "-$&").toLowerCase();
      return [
        ...(token === wanted ? [] : [at(file, node, `its token is ${token}; write ${wanted}`)]),
        ...(kebab === name ? [] : [at(file, node, `class ${className} belongs into ${kebab}.ts`)]),
        ...(/^this\.registerOutputs\(/.test(statements.at(-1)?.getText() ?? "")
          ? []
          : [at(file, node, `the constructor of ${className} must end with this.registerOutputs({ … })`)]),
      ];
    });
};

/** What the program is told, it is told in one place. */
export const configurationReader: Rule = (file) => {
  // The others run as commands of their own, beside the program, and are handed their past or a token in the environment.
  const allowed = ["components/config/load.ts", "components/cloudflare/purge-cache.ts", "components/release/record.ts"];
  if (!isProgram(file) || allowed.includes(file.path)) return [];
  return nodes(file)
    .filter((node) =>
      /^(process\.env|new pulumi\.Config|pulumi\.getStack|pulumi\.runtime\.allConfig)\b/.test(node.getText()),
    )
    .filter((node) => ts.isPropertyAccessExpression(node) || ts.isNewExpression(node))
    .map((node) =>
      at(file, node, `${node.getText()}: only components/config/load.ts reads configuration and environment`),
    );
};

/** The composition root composes. */
export const compositionRoot: Rule = (file) => {
  if (file.path !== "index.ts") return [];
  return nodes(file)
    .filter(
      (node) =>
        ts.isIfStatement(node) ||
        (ts.isNewExpression(node) && /^new (docker|command|random|cloudflare)\./.test(node.getText())),
    )
    .map((node) => at(file, node, `${firstLine(node)}: index.ts only puts components together; move this into a room`));
};

/** `||` takes an empty text, a zero and a false for missing. */
export const defaults: Rule = (file) => {
  if (!isProgram(file) && !file.path.startsWith("operations/")) return [];
  const literal = (node: ts.Node): boolean =>
    ts.isLiteralExpression(node) ||
    ts.isTemplateExpression(node) ||
    ts.isArrayLiteralExpression(node) ||
    ts.isObjectLiteralExpression(node);
  return nodes(file)
    .filter(ts.isBinaryExpression)
    .filter((node) => node.operatorToken.kind === ts.SyntaxKind.BarBarToken && literal(node.right))
    .map((node) => at(file, node, `${firstLine(node)}: write ?? for a default, or compare with the empty value`));
};

/** What only one system needs, it says itself. */
export const noSystemByName =
  (systems: readonly string[]): Rule =>
  (file) => {
    if (!isTypeScript(file) || !/^(index\.ts$|components\/|operations\/)/.test(file.path)) return [];
    return nodes(file)
      .filter(ts.isStringLiteralLike)
      .filter(({ text }) => systems.includes(text))
      .map((node) => at(file, node, `${node.getText()}: the core knows no system; make it a field of systems`));
  };

/** Versions are pins of a stack. */
export const noImageInCode: Rule = (file) => {
  if (!isProgram(file)) return [];
  const image = /^(?:[a-z0-9.-]+(?::\d+)?\/)*[a-z][a-z0-9._-]*:(?:latest|v?\d[\w.-]*)(?:@sha256:.*)?$/;
  return nodes(file)
    .filter(ts.isStringLiteralLike)
    .filter(({ text }) => image.test(text) && !text.startsWith("localhost:"))
    .map((node) => at(file, node, `${node.getText()}: an image in code; pin it in the stack file`));
};

/** What is waited for is a condition, with a deadline; between two looks passes less than a second. */
export const noFixedSleep: Rule = (file) => {
  const shell = shellSleeps(file.text)
    .filter(([, seconds]) => seconds > 1)
    .map(([line, seconds]) => `${file.path}:${line}: sleep ${seconds}: wait for a condition instead`);
  if (!isTypeScript(file)) return file.path.endsWith(".sh") ? shell : [];
  const sleeps = nodes(file)
    .filter(ts.isCallExpression)
    .filter((call) => {
      const name = call.expression.getText();
      const promised = ts.isAwaitExpression(call.parent) && /^(sleep|pause|delay|setTimeout)$/.test(name);
      const inPromise = name === "setTimeout" && ts.isIdentifier(call.arguments[0] ?? call);
      const time = promised ? call.arguments[0] : inPromise ? call.arguments[1] : undefined;
      return time !== undefined && Number(time.getText().replaceAll("_", "")) >= 1000;
    })
    .map((call) => at(file, call, `${call.getText()}: wait for a condition instead`));
  return [...sleeps, ...(file.path.startsWith("tests/") ? [] : shell)];
};

function shellSleeps(text: string): [line: number, seconds: number][] {
  return text.split("\n").flatMap((content, index) => {
    const seconds = /^\s*sleep (\d+(?:\.\d+)?)\s*$/.exec(content)?.[1];
    return seconds === undefined ? [] : [[index + 1, Number(seconds)] as [number, number]];
  });
}

/** What stands in the files holds on every machine; examples in documents and tests may have a home. */
export const noMachinePath: Rule = (file) => {
  const example = /^(docs|tests)\//.test(file.path);
  const places = example
    ? /(?<![\w.~$}-])\/(?:work|Users)\/[^\s]*/
    : /(?<![\w.~$}-])\/(?:work|Users|home)\/(?!\$|\*)[a-z][^\s]*/;
  return lines(file, places, "is a path of one machine");
};

/** What hides a failure, or was left for later. */
export const nothingSwept: Rule = (file) => [
  ...lines(file, /\bT[O]DO\b|\bF[I]XME\b|\bX[X]X\b/, "do it or drop it"),
  ...(file.path.endsWith(".md")
    ? []
    : lines(file, /\|\| (?:true|:)(?=["'`\s;)]|$)/, "handle the failure that may happen")),
  ...lines(
    file,
    /@ts-(?:ignore|nocheck)|eslint-[d]isable(?!(?:-next)?-line @?[\w-]+)/,
    "mend it, or name the one rule on the line that needs it",
  ),
  ...(isTypeScript(file)
    ? nodes(file)
        .filter(ts.isCatchClause)
        .filter(({ block }) => block.statements.length === 0 && !/\/\/|\/\*/.test(block.getText()))
        .map((node) => at(file, node, "an empty catch: say why the failure does not matter"))
    : []),
];

/** A refusal says what is wrong and what to do, in the middle of a sentence: `<path>: <what>, got <value>; <cure>`. */
export const errorForm: Rule = (file) => {
  if (!isProgram(file) && !file.path.startsWith("operations/")) return [];
  return nodes(file)
    .filter(
      (node): node is ts.NewExpression | ts.CallExpression => ts.isNewExpression(node) || ts.isCallExpression(node),
    )
    .filter((node) =>
      /^(?:new )?(?:pulumi\.ResourceError|pulumi\.RunError|OperatorError|usageError)$/.test(
        (ts.isNewExpression(node) ? "new " : "") + node.expression.getText(),
      ),
    )
    .flatMap((node) => {
      const message = literalText(node.arguments?.[0]);
      if (message === undefined) return [];
      const faults = [
        ...(/^[A-Z]/.test(message) ? ["begins with a capital letter"] : []),
        ...(message.endsWith(".") ? ["ends with a full stop"] : []),
        ...(/; .*\S/s.test(message) ? [] : ["does not say what to do, after a semicolon"]),
      ];
      return faults.map((fault) => at(file, node, `${JSON.stringify(message)} ${fault}`));
    });
};

/** Text of a literal with `…` for what is filled in; `undefined` for a message that is put together elsewhere. */
function literalText(node: ts.Node | undefined): string | undefined {
  if (!node) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node))
    return node.head.text + node.templateSpans.map((span) => `…${span.literal.text}`).join("");
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    const [left, right] = [literalText(node.left), literalText(node.right)];
    return left === undefined || right === undefined ? undefined : left + right;
  }
  return undefined;
}

/**
 * Rooms and what each may use. A new room gets a line of its own; a line never gets longer to make something easier.
 * `shared` knows nobody, `config` only `shared`, and nobody knows who composes him.
 */
export const mayUse: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  config: ["shared"],
  fleet: ["config", "shared"],
  network: ["config", "shared"],
  secrets: ["config", "shared"],
  cloudflare: ["config", "shared"],
  service: ["config", "shared"],
  release: ["config", "shared"],
  data: ["service", "config", "shared"],
  edge: ["cloudflare", "fleet", "network", "config", "shared"],
  workloads: ["data", "service", "secrets", "network", "config", "shared"],
};

/** Dependencies point one way: rooms as above, and nothing that runs in production knows operations, lab or tests. */
export const oneWay: Rule = (file) => {
  const [, room] = /^components\/([a-z]+)\//.exec(file.path) ?? [];
  const allowed = room === undefined ? undefined : mayUse[room];
  if (room !== undefined && !allowed) return [`${file.path}: room ${room} has no line in mayUse`];
  return imports(file).flatMap((target) => {
    const place = target.split("/")[0] ?? "";
    const [, used] = /^components\/([a-z]+)\//.exec(target) ?? [];
    const wrong =
      (allowed && used !== undefined && used !== room && !allowed.includes(used)) ||
      (isProgram(file) && ["operations", "lab", "tests"].includes(place)) ||
      (file.path.startsWith("operations/") && ["lab", "tests"].includes(place)) ||
      (file.path.startsWith("lab/") && place === "tests");
    return wrong ? [`${file.path}: uses ${target}; dependencies point the other way`] : [];
  });
};

/** No file needs itself at run time, over however many others. */
export function cycles(tree: Tree): string[] {
  const graph = new Map(tree.filter(isTypeScript).map((file) => [file.path, imports(file, "values")]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) found.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    if (trail.includes(path) || done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** What a document tells people to type exists. */
export function documentedCommands(file: TextFile, scripts: readonly string[], verbs: readonly string[]): string[] {
  if (!file.path.endsWith(".md")) return [];
  const all = (pattern: RegExp) => [...file.text.matchAll(pattern)].map((match) => match[1] ?? "");
  const missingScripts = all(/\bnpm run (?:--silent |-s )?([a-z][a-z:]*)/g).filter((name) => !scripts.includes(name));
  const missingVerbs = all(/\bnpm run (?:--silent |-s )?berth -- ([a-z][a-z-]*)/g).filter(
    (name) => !verbs.includes(name),
  );
  return [
    ...missingScripts.map((name) => `${file.path}: \`npm run ${name}\` is not in package.json`),
    ...missingVerbs.map((name) => `${file.path}: \`npm run berth -- ${name}\` is not a verb`),
  ];
}

/** Links of a document to files of the repository lead somewhere. */
export function links(file: TextFile, exists: (path: string) => boolean): string[] {
  if (!file.path.endsWith(".md")) return [];
  return [...file.text.matchAll(/\]\((?!https?:|#|mailto:)([^)\s#]+)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !exists(posix.join(posix.dirname(file.path), target)))
    .map((target) => `${file.path}: links to ${target}, which does not exist`);
}

/** A range would let two machines run different programs. */
export function exactVersions(manifest: {
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}): string[] {
  return Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `package.json: ${name}: is a range, got ${version}; pin one version`);
}

/** Files of the repository that a file imports; types leave no trace at run time. */
function imports(file: TextFile, what: "all" | "values" = "all"): string[] {
  if (!isTypeScript(file)) return [];
  const typeOnly = (clause: ts.ImportClause | undefined): boolean => {
    if (clause === undefined || clause.name !== undefined) return false;
    if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
    const { namedBindings } = clause;
    return (
      namedBindings !== undefined &&
      ts.isNamedImports(namedBindings) &&
      namedBindings.elements.every((element) => element.isTypeOnly)
    );
  };
  return nodes(file)
    .flatMap((node) => {
      if (ts.isImportDeclaration(node))
        return what === "values" && typeOnly(node.importClause) ? [] : [node.moduleSpecifier];
      if (ts.isExportDeclaration(node)) return what === "values" && node.isTypeOnly ? [] : [node.moduleSpecifier];
      return ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
        ? [node.arguments[0]]
        : [];
    })
    .flatMap((specifier) =>
      specifier && ts.isStringLiteralLike(specifier) && specifier.text.startsWith(".") ? [specifier.text] : [],
    )
    .map((name) => posix.join(posix.dirname(file.path), name));
}

const parsed = new WeakMap<TextFile, ts.Node[]>();

function nodes(file: TextFile): ts.Node[] {
  const known = parsed.get(file);
  if (known) return known;
  const all: ts.Node[] = [];
  const collect = (node: ts.Node): void => {
    all.push(node);
    ts.forEachChild(node, collect);
  };
  collect(ts.createSourceFile(file.path, file.text, ts.ScriptTarget.Latest, true));
  parsed.set(file, all);
  return all;
}

function at(file: TextFile, node: ts.Node, what: string): string {
  const line = file.text.slice(0, node.getStart()).split("\n").length;
  return `${file.path}:${line}: ${what}`;
}

function firstLine(node: ts.Node): string {
  return node.getText().split("\n")[0] ?? "";
}

function lines(file: TextFile, pattern: RegExp, what: string): string[] {
  return file.text.split("\n").flatMap((content, index) => {
    const found = pattern.exec(content)?.[0];
    return found === undefined ? [] : [`${file.path}:${index + 1}: ${found.trim()}: ${what}`];
  });
}
