import { itRejects, type Refusal } from "../support/refusals.ts";
import { spoilt } from "../support/spoilt-system.ts";

/* Services that cannot be run, or not safely, and what is said about them. */

const refusals: readonly Refusal[] = [
  [
    "a service without a health check",
    { "services.api.health": undefined },
    ["system.services.api.health: is missing; add it: How a container is asked whether it works: `path` or `command`"],
  ],
  [
    "a health check that asks nothing",
    { "services.api.health": { retries: 5 } },
    ["system.services.api.health: asks nothing, got neither `path` nor `command`; give one of them"],
  ],
  [
    "a health check that asks twice",
    { "services.api.health": { path: "/", command: ["true"] } },
    ['system.services.api.health.path: is given beside `command`, got "/"; keep one of the two'],
  ],
  [
    "an HTTP health check without a port",
    { "services.mail.health": { path: "/" } },
    ['system.services.mail.health.path: needs a port, got "/" on a worker; give `port` too, or `command` instead'],
  ],
  [
    "a health check's port that nothing is asked on",
    { "services.mail.health": { command: ["ping"], port: 80 } },
    ["system.services.mail.health.port: is asked by no `path`, got 80; remove it, or give `path` instead of `command`"],
  ],
  [
    "a service without a memory limit",
    { "services.api.resources": { cpus: 1 } },
    ["system.services.api.resources.memory: is missing; add it: Hard memory limit; a container above it is killed"],
  ],
  [
    "a limit of nothing",
    { "services.api.resources.memory": "0 MB" },
    [
      'system.services.api.resources.memory: is not a size, got "0 MB"; write a number above 0, a blank and KB, MB or GB, ' +
        'for example "512 MB"',
    ],
  ],
  [
    "no CPU",
    { "services.api.resources.cpus": 0 },
    ["system.services.api.resources.cpus: is too small, got 0; write more than 0"],
  ],
  [
    "a reservation above its limit",
    { "services.api.resources": { memory: "64 MB", reserveMemory: "65 MB", cpus: 1, reserveCpus: 2 } },
    [
      "system.services.api.resources.reserveCpus: is above the limit, got 2 of 1; write 1 or less",
      'system.services.api.resources.reserveMemory: is above the limit, got "65 MB" of "64 MB"; write "64 MB" or less',
    ],
  ],
  [
    "an unknown key",
    { "services.api.replica": 2 },
    [
      "system.services.api.replica: is not a known key; use kind, port, balance, image, command, env, secrets, networks, resources, " +
        "user, readOnly, dependsOn, connections, secretsAsEnv, replicas, health, rollout, stopGracePeriod, volumes, tmpfs, " +
        "files or capabilities",
    ],
  ],
  [
    "what docker-compose calls otherwise, with the word for it here",
    {
      "services.api.ports": ["8000:80", "8000:80"],
      "services.mail.depends_on": ["db"],
      "services.mail.restart": "always",
      "data.db.ports": ["5432:5432"],
    },
    [
      ...["system.data.db", "system.services.api"].map(
        (place) =>
          `${place}.ports: is a key of docker-compose; nothing is published, so write \`port\` on a web service and a route ` +
          "under edge.sites",
      ),
      "system.services.mail.depends_on: is a key of docker-compose; write `dependsOn`",
      "system.services.mail.restart: is a key of docker-compose; remove it, whatever ends is started again",
    ],
  ],
  [
    "what a job does not have",
    { "services.migrate.health": { path: "/" } },
    [
      "system.services.migrate.health: is not a known key; use kind, timeout, image, command, env, secrets, networks, " +
        "resources, user, readOnly, dependsOn or connections",
    ],
  ],
  [
    "an unknown kind",
    { "services.api.kind": "site" },
    ['system.services.api.kind: is not one of the choices, got "site"; write web, worker, job or schedule'],
  ],
  [
    "a port out of range",
    { "services.api.port": 70000 },
    ["system.services.api.port: is out of range, got 70000; use a port from 1 to 65535"],
  ],
  [
    "root",
    { "services.api.user": "0:0" },
    [
      'system.services.api.user: is not a numeric user and group, got "0:0"; write for example "1000:1000"; root is refused',
    ],
  ],
  [
    "a variable and a secret of one name",
    {
      "services.mail.secretsAsEnv": ["KEY"],
      "services.mail.env": { KEY: "a", KEY_FILE: "b" },
    },
    [
      "system.services.mail.env.KEY: is also set by a secret of the service; remove one of the two",
      "system.services.mail.env.KEY_FILE: is also set by a secret of the service; remove one of the two",
      'system.services.mail.secrets[0]: is in `secretsAsEnv` too, got "KEY"; keep one of the two',
    ],
  ],
  [
    "a variable name in small letters",
    { "services.mail.env": { logLevel: "info" } },
    [
      'system.services.mail.env.logLevel: is not a variable name, got "logLevel"; use upper-case letters, digits and ' +
        "underscores, a letter first",
    ],
  ],
  [
    "a service with the name of a store",
    {
      "services.db": {
        kind: "worker",
        image: "api",
        networks: ["data"],
        resources: { memory: "64 MB" },
        health: { command: ["ping"] },
      },
    },
    ["system.services.db: has the name of a store; names within a system resolve to one thing, rename one of them"],
  ],
  [
    "a volume with the name of a store's",
    { "services.mail.volumes": { db: "/data" } },
    [
      "system.services.mail.volumes.db: has the name of a store's own volume; rename it, or both write into one directory",
    ],
  ],
  [
    "a volume at a relative path",
    { "services.mail.volumes": { files: "files" } },
    ['system.services.mail.volumes.files: is not an absolute path, got "files"; start it with /'],
  ],
  [
    "two things mounted at one path",
    {
      "services.mail.volumes": { files: "/data" },
      "services.mail.tmpfs": { "/data/": "1 MB", "/tmp": "8 MB" },
      "services.mail.files": { "/data": "text" },
    },
    ["files./data", "tmpfs./data/", "tmpfs./tmp"].map((place) => {
      const [, target] = place.split(".");
      return (
        `system.services.mail.${place}: is mounted twice, got "${target}"; keep one volume, tmpfs or file at a path; ` +
        "a read-only service has a tmpfs at /tmp already"
      );
    }),
  ],
  [
    "a file that Docker would not take",
    { "services.mail.files": { "/etc/big": "x".repeat(500 * 1024 + 1), "etc/small": "x", "/etc/empty": "" } },
    [
      "system.services.mail.files./etc/big: is larger than 500 KB, which is all that Docker takes; put it into the image " +
        "or on a volume",
      'system.services.mail.files./etc/empty: is empty, got ""; write at least one',
      'system.services.mail.files.etc/small: is not an absolute path, got "etc/small"; start it with /',
    ],
  ],
  [
    "capabilities that nobody should keep",
    { "services.mail.capabilities": ["SYS_ADMIN"] },
    [
      'system.services.mail.capabilities[0]: is not one of the choices, got "SYS_ADMIN"; write CHOWN, DAC_OVERRIDE, ' +
        "FOWNER, NET_BIND_SERVICE, SETGID or SETUID",
    ],
  ],
  [
    "mistakes of every kind in one service",
    {
      "services.api.image": undefined,
      "services.api.health": undefined,
      "services.api.resources": { reserveMemory: "lots" },
      "services.api.networks": ["edge", "backend"],
      "services.api.dependsOn": ["cache"],
      "services.api.colour": "blue",
    },
    [
      "system.services.api.colour: is not a known key; use kind, port, balance, image, command, env, secrets, networks, resources, " +
        "user, readOnly, dependsOn, connections, secretsAsEnv, replicas, health, rollout, stopGracePeriod, volumes, tmpfs, " +
        "files or capabilities",
      'system.services.api.dependsOn[0]: is not a service or store of the system, got "cache"; use migrate, mail, db or ' +
        "queue, or declare it",
      "system.services.api.health: is missing; add it: How a container is asked whether it works: `path` or `command`",
      "system.services.api.image: is missing; add it: Key of the image under `berth:images` in the stack file",
      'system.services.api.networks[1]: is not a network of the system, got "backend"; use edge or data, or declare it',
      "system.services.api.resources.memory: is missing; add it: Hard memory limit; a container above it is killed",
      'system.services.api.resources.reserveMemory: is not a size, got "lots"; write a number above 0, a blank and KB, MB ' +
        'or GB, for example "512 MB"',
    ],
  ],
  [
    "a refused service, without calling it missing",
    { "services.api.port": "80" },
    ['system.services.api.port: is not a number, got "80"; write a number without quotes'],
  ],
];

describe("a service", () => {
  itRejects(refusals, spoilt);
});
