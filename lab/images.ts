import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { basename, join } from "node:path";
import { hostPackages } from "../components/fleet/engine.render.ts";
import { hash } from "./docker.ts";
import type { Program } from "./programs.ts";
import { readFiles } from "./read-files.ts";
import type { LabSystem } from "./systems.ts";

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
  /** A host with the packages that berth installs. */
  readonly prepared: Image;
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

/** An image that the sample application stands for. */
export interface Application {
  readonly system: string;
  readonly repository: string;
  readonly role: "web" | "worker" | "placeholder";
  /** Port it listens on; a placeholder may have several, separated by blanks. */
  readonly port: number | string;
}

/** The first one is what a new lab pins. */
export const applicationVersions = ["1.0.0", "1.1.0", "1.2.0-broken", "1.3.0-crash"] as const;

/** Servers of others by the key that systems give them, as the lab has them. */
export const thirdParty: Readonly<Record<string, string | undefined>> = {
  prometheus: "prometheus:2.42",
  kong: "kong:placeholder",
  jaeger: "jaeger:placeholder",
  grafana: "grafana:placeholder",
};

/** What no package brings: the sample application answers in their place, and says so. */
const placeholders: readonly Application[] = [
  { system: "placeholder", repository: "kong", role: "placeholder", port: 8000 },
  { system: "placeholder", repository: "jaeger", role: "placeholder", port: "16686 14269" },
  { system: "placeholder", repository: "grafana", role: "placeholder", port: 3000 },
];

/** The images of a lab that runs these systems. */
export function labImages(root: string, systems: readonly Pick<LabSystem, "applications" | "images">[]): LabImages {
  const base = baseImage("bookworm");
  const used = new Set(systems.flatMap(({ images }) => Object.values(images)));
  const host = builtImage("host", base, readFiles(join(root, "lab/images/host")));
  const packages = [...hostPackages({ edge: true }), "docker.io", "systemd-timesyncd"].join(" ");
  return {
    base,
    host,
    prepared: builtImage("prepared", host, readFiles(join(root, "lab/images/prepared")), { PACKAGES: packages }),
    parts: builtImage("parts", base, readFiles(join(root, "lab/images/parts"))),
    published: [
      ...catalog(root).filter(({ repository, version }) => used.has(`${repository}:${version}`)),
      ...applicationImages(
        root,
        systems.flatMap(({ applications }) => applications),
        applicationVersions,
      ),
    ],
  };
}

/** Images that are the same for every system: the edge, stores, servers of others. */
export function catalog(root: string): Published[] {
  const base = baseImage("bookworm");
  const published = (version: string, place: string, from: Image = base, programs: readonly Program[] = []) => {
    const repository = basename(place);
    return { repository, version, image: builtImage(repository, from, readFiles(join(root, place)), {}, programs) };
  };
  return [
    published("1.30", "images/edge", baseImage("sid")),
    published("15", "images/postgres"),
    published("1.18", "images/pgbouncer"),
    published("7.0", "images/redis"),
    published("3.10", "images/rabbitmq"),
    published("18.16", "images/clickhouse"),
    published("ferretdb-1.24", "lab/images/mongodb", base, [ferretdb]),
    published("2.42", "lab/images/prometheus"),
    ...applicationImages(root, placeholders, ["placeholder"]),
  ];
}

/** Certbot and its DNS plugin beside Docker's client. */
export function certbotImage(root: string, base: Image): Image {
  return builtImage("certbot", base, readFiles(join(root, "lab/images/certbot")));
}

/** What looks at an edge from outside. */
export function scannerImage(root: string): Image {
  return builtImage("scanner", baseImage("sid"), readFiles(join(root, "lab/images/scanner")));
}

function applicationImages(
  root: string,
  applications: readonly Application[],
  versions: readonly string[],
): Published[] {
  if (applications.length === 0) return [];
  const runtime = builtImage("app-runtime", baseImage("bookworm"), {
    Dockerfile: readFileSync(join(root, "lab/app/runtime.Dockerfile"), "utf8"),
  });
  const files = applicationFiles(root);
  return applications.flatMap(({ system, repository, role, port }) =>
    versions.map((version) => ({
      repository,
      version,
      image: builtImage(repository, runtime, files, {
        SYSTEM: system,
        NAME: repository,
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

export function builtImage(
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
