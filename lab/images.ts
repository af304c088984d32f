import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { hash } from "./docker.ts";
import type { Program } from "./programs.ts";
import { readFiles } from "./read-files.ts";

/*
 * What the lab's images are made of. An image's tag is a hash of everything that goes into it, its base included:
 * the same content is never built twice, and a change rebuilds what depends on it and nothing else.
 */

/** A root file system from Debian's packages: no image registry is needed, not even for a base. */
export interface BaseImage {
  readonly kind: "base";
  readonly name: string;
  readonly suite: "bookworm" | "sid";
  readonly tag: string;
}

/** An image from a Dockerfile, on top of another one of these. */
export interface BuiltImage {
  readonly kind: "built";
  readonly name: string;
  readonly base: Image;
  /** Text by path; `Dockerfile` among them. Executable when the text starts with `#!`. */
  readonly files: Readonly<Record<string, string>>;
  readonly args: Readonly<Record<string, string>>;
  /** Programs beside the files, executable. */
  readonly programs: readonly Program[];
  readonly tag: string;
}

export type Image = BaseImage | BuiltImage;

/** An image under the name by which the lab's registry has it. */
export interface Published {
  readonly repository: string;
  readonly version: string;
  readonly image: Image;
}

export interface LabImages {
  readonly base: Image;
  readonly host: Image;
  readonly parts: Image;
  readonly published: readonly Published[];
}

/** MongoDB's wire protocol on SQLite: the server itself is in no package registry. */
const ferretdb: Program = {
  name: "ferretdb",
  module: "github.com/FerretDB/FerretDB",
  version: "v1.24.2",
  package: "cmd/ferretdb",
  generated: { "build/version/version.txt": "v1.24.2\n" },
};

/** What a system's images are called, the role they play and the port they listen on. */
const applications = [
  { repository: "palmistry-api", role: "web", port: 8000 },
  { repository: "palmistry-frontend", role: "web", port: 3000 },
  { repository: "palmistry-worker", role: "worker", port: 8000 },
] as const;

/** The first one is what a new lab pins. */
export const applicationVersions = ["1.0.0", "1.1.0", "1.2.0-broken", "1.3.0-crash"] as const;

export function labImages(root: string): LabImages {
  const base = baseImage("bookworm");
  const directory = (path: string) => readFiles(join(root, path));
  const store = (name: string) => builtImage(name, base, directory(`images/${name}`));
  const runtime = builtImage("app-runtime", base, {
    Dockerfile: readFileSync(join(root, "lab/app/runtime.Dockerfile"), "utf8"),
  });
  return {
    base,
    host: builtImage("host", base, directory("lab/images/host")),
    parts: builtImage("parts", base, directory("lab/images/parts")),
    published: [
      { repository: "edge", version: "1.30", image: builtImage("edge", baseImage("sid"), directory("images/edge")) },
      { repository: "postgres", version: "15", image: store("postgres") },
      { repository: "pgbouncer", version: "1.18", image: store("pgbouncer") },
      { repository: "redis", version: "7.0", image: store("redis") },
      { repository: "rabbitmq", version: "3.10", image: store("rabbitmq") },
      { repository: "clickhouse", version: "18.16", image: store("clickhouse") },
      {
        repository: "mongodb",
        version: "ferretdb-1.24",
        image: builtImage("mongodb", base, directory("lab/images/mongodb"), {}, [ferretdb]),
      },
      ...applicationImages(root, runtime),
    ],
  };
}

function applicationImages(root: string, runtime: Image): Published[] {
  const files = applicationFiles(root);
  return applications.flatMap(({ repository, role, port }) =>
    applicationVersions.map((version) => ({
      repository,
      version,
      image: builtImage(repository, runtime, files, {
        SYSTEM: "palmistry",
        ROLE: role,
        PORT: String(port),
        VERSION: version,
      }),
    })),
  );
}

/** The application as the image holds it: plain JavaScript, for Debian's Node runs no types. */
function applicationFiles(root: string): Record<string, string> {
  const app = join(root, "lab/app");
  const sources = Object.entries(readFiles(join(app, "src"))).map(([path, text]): [string, string] => [
    path.replace(/\.ts$/, ".mjs"),
    withoutTypes(text).replaceAll(/(from |import\()"(\.\/[\w-]+)\.ts"/g, '$1"$2.mjs"'),
  ]);
  const ws = Object.entries(readFiles(join(root, "node_modules/ws"))).filter(([path]) => /\.(m?js|json)$/.test(path));
  return {
    Dockerfile: readFileSync(join(app, "Dockerfile"), "utf8"),
    "berth-app": readFileSync(join(app, "berth-app"), "utf8"),
    ...Object.fromEntries(sources),
    ...Object.fromEntries(ws.map(([path, text]) => [`node_modules/ws/${path}`, text])),
  };
}

/** The API is stable enough for our own files, so its warning in front of every user's eyes is not worth having. */
function withoutTypes(text: string): string {
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function baseImage(suite: BaseImage["suite"]): BaseImage {
  const name = `base-${suite}`;
  return { kind: "base", name, suite, tag: `berth-lab/${name}:${hash(bootstrapCommand(suite, "-"))}` };
}

function builtImage(
  name: string,
  base: Image,
  files: Readonly<Record<string, string>>,
  args: Readonly<Record<string, string>> = {},
  programs: readonly Program[] = [],
): BuiltImage {
  const tag = `berth-lab/${name}:${hash([base.tag, files, args, ...programs])}`;
  return { kind: "built", name, base, files, args, programs, tag };
}

/** Leaves out what no container reads: manuals, translations, apt's binary caches (80 MB in every layer). */
export function bootstrapCommand(suite: BaseImage["suite"], target: string): [string, ...string[]] {
  const without = ["doc", "man", "info", "locale", "lintian"].map((part) => `path-exclude=/usr/share/${part}/*`);
  // Images are thrown away when a build is interrupted: waiting for the disk after each file gains nothing.
  const dpkg = ["force-unsafe-io", ...without].map((option) => `--dpkgopt=${option}`);
  const apt = [
    'APT::Install-Recommends "false"',
    'Acquire::Languages "none"',
    'Dir::Cache::pkgcache ""',
    'Dir::Cache::srcpkgcache ""',
    // sid has no releases; its index may be past its date for a while.
    ...(suite === "sid" ? ['Acquire::Check-Valid-Until "false"'] : []),
  ].map((option) => `--aptopt=${option}`);
  const keyring = "--keyring=/usr/share/keyrings/debian-archive-keyring.gpg";
  // bookworm would otherwise bring Perl, 50 MB, to merge /usr by a script.
  const merged = suite === "bookworm" ? ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"] : [];
  const include = `--include=${["ca-certificates", ...(suite === "bookworm" ? ["usr-is-merged"] : [])].join(",")}`;
  // Without a mirror the suite's own are taken: bookworm gets its security updates along.
  return ["mmdebstrap", "--variant=minbase", include, keyring, ...merged, ...dpkg, ...apt, suite, target];
}
