import assert from "node:assert/strict";
import { itRejects, type Refusal } from "../support/refusals.ts";
import { problemsOf } from "../support/problems.ts";
import { sampleHostKey, sampleRaw } from "../support/sample-config.ts";
import { host, one, two } from "../support/sample-hosts.ts";
import { spoilt } from "../support/spoilt-system.ts";

/* Sizes that a stack gives to a system: of what there is not, or for which there is no room. */

const refusals: readonly Refusal[] = [
  [
    "overrides of what is not there",
    {
      "berth:services": { apu: { replicas: 1 } },
      "berth:limits": { apu: { burst: 1 } },
      "berth:secretGenerations": { SECRET: 2, OPENAI_API_KEY: 2 },
    },
    [
      "berth:limits.apu: is not a limit of the system; use api",
      "berth:secretGenerations.OPENAI_API_KEY: is not a generated secret of the system; use SECRET_KEY, JWT_SECRET, " +
        "POSTGRES_PASSWORD or REDIS_PASSWORD",
      "berth:secretGenerations.SECRET: is not a generated secret of the system; use SECRET_KEY, JWT_SECRET, " +
        "POSTGRES_PASSWORD or REDIS_PASSWORD",
      "berth:services.apu: is not a service or store of the system; use migrate, api, frontend, worker, postgres or redis",
    ],
  ],
  [
    "overrides that do not apply",
    {
      "berth:services": {
        api: { maxmemory: "1 GB" },
        migrate: { replicas: 2 },
        redis: { replicas: 3, env: { A: "b" } },
        postgres: { replicas: 1 },
      },
    },
    [
      "berth:services.api.maxmemory: does not apply to a web; remove it",
      "berth:services.migrate.replicas: does not apply to a job; remove it",
      "berth:services.postgres.replicas: does not apply to a postgres; remove it",
      "berth:services.redis.env: does not apply to a redis; remove it",
      "berth:services.redis.replicas: does not apply to a redis; remove it",
    ],
  ],
  [
    "a reservation above the limit that the stack sets",
    { "berth:services": { api: { resources: { reserveMemory: "1 GB" } } } },
    ['berth:services.api.resources.reserveMemory: is above the limit, got "1 GB" of "512 MB"; write "512 MB" or less'],
  ],
  [
    "more replicas than a store of the system, or of the stack, has connections for",
    { "berth:services": { api: { replicas: 5 }, redis: { maxclients: 500 } } },
    [
      "berth:services.redis.maxclients: is less than the tasks of a rollout may open, got 500 for api 10 × 50 + " +
        "worker 2 × 200 = 900; write 900 or more, or give services fewer replicas or smaller pools",
      "system.data.postgres.maxConnections: is less than the tasks of a rollout may open, got 500 for migrate 1 × 1 + " +
        "api 10 × 50 + worker 2 × 40 + administration 3 = 584; write 584 or more, or give services fewer replicas or " +
        "smaller pools",
    ],
  ],
  [
    "a memory limit of the stack that Redis fills by itself",
    { "berth:services": { redis: { resources: { memory: "256 MB" } } } },
    [
      'berth:services.redis.resources.memory: leaves Redis no memory for itself, got maxmemory "384 MB" of a limit of ' +
        '"256 MB"; keep maxmemory at three quarters of the limit: rewriting its file takes the rest',
    ],
  ],
  [
    "limits above what the hosts have in sum, with the arithmetic",
    {
      "berth:hosts": [{ ...host, memory: "3 GB", cpus: 2 }],
      "berth:services": { api: { resources: { reserveCpus: 0.5 } }, worker: { resources: { reserveCpus: 1 } } },
    },
    [
      "berth:hosts: have fewer cores than what runs has reserved on them, got vm-1 2 cores for api 3 × 0.5 cores + " +
        "worker 1 core = 2.5 cores; add cores or hosts, or reserve less",
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 3 GB for api 3 × 512 MB + " +
        "frontend 256 MB + worker 512 MB + postgres 1 GB + redis 512 MB + edge 512 MB = 4.25 GB; add memory or hosts, " +
        "or lower limits and replicas",
    ],
  ],
  [
    "limits for which a drained host would have had room",
    {
      "berth:hosts": [
        { ...host, memory: "3 GB", privateAddress: "10.0.0.1" },
        {
          ...host,
          name: "vm-2",
          address: "198.18.0.2",
          privateAddress: "10.0.0.2",
          role: "worker",
          state: "drain",
          memory: "8 GB",
        },
      ],
      "berth:volumes": { postgres: "vm-1", redis: "vm-1", uploads: "vm-1" },
    },
    [
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 3 GB for api 3 × 512 MB + " +
        "frontend 256 MB + worker 512 MB + postgres 1 GB + redis 512 MB + edge 512 MB = 4.25 GB; add memory or hosts, " +
        "or lower limits and replicas",
    ],
  ],
  [
    "a limit of processes that a Postgres reaches by its connections",
    { "berth:docker": { pidsLimit: 600 }, "berth:services": { postgres: { maxConnections: 550 } } },
    [
      "berth:docker.pidsLimit: is less than postgres may start, got 600 for 550 connections and 64 processes of its own; " +
        "write 614 or more",
    ],
  ],
  [
    "more processes for nginx than any container may have",
    { "berth:docker": { pidsLimit: 1000 }, "berth:edge": { resources: { pids: 2000 } } },
    [
      "berth:edge.resources.pids: is above the limit of all containers, got 2000 of 1000; raise berth:docker.pidsLimit, or " +
        "write 1000 or less",
    ],
  ],
  [
    "a limit of processes that nothing runs with",
    { "berth:docker": { pidsLimit: 8 } },
    ["berth:docker.pidsLimit: is too small, got 8; write 512 or more"],
  ],
  [
    "a word that is none either",
    { "berth:docker": { pidsLimit: "unlimited" } },
    ['berth:docker.pidsLimit: is not a limit of processes, got "unlimited"; write a number from 512 on, or none'],
  ],
  [
    "limits of nginx with which it would not start",
    { "berth:edge": { resources: { memory: "16 MB", cpus: 0.01, pids: 4, swap: "1 GB" } } },
    [
      "berth:edge.resources.cpus: is less than nginx can serve with, got 0.01; write 0.1 or more",
      'berth:edge.resources.memory: is less than nginx needs to start, got "16 MB"; write 64 MB or more',
      "berth:edge.resources.pids: is fewer than the workers of some reloads, got 4; write 64 or more",
      "berth:edge.resources.swap: is not a known key; use memory, cpus or pids",
    ],
  ],
  [
    "a limit of nginx that has no room on an edge host, once for each of them",
    {
      "berth:hosts": [
        { ...one, memory: "3 GB", cpus: 1 },
        { ...two, memory: "3 GB", cpus: 1, labels: { edge: "true" } },
      ],
      "berth:volumes": { postgres: "vm-1", redis: "vm-1", uploads: "vm-1" },
      "berth:services": { postgres: { resources: { cpus: 1 } } },
      "berth:edge": { resources: { memory: "4 GB" } },
    },
    [
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 3 GB + vm-2 3 GB = 6 GB for " +
        "api 3 × 512 MB + frontend 256 MB + worker 512 MB + postgres 1 GB + redis 512 MB + edge 2 × 4 GB = 11.75 GB; " +
        "add memory or hosts, or lower limits and replicas",
      "berth:hosts: have no room for a task of edge, got 3 GB at most for 4 GB; use a larger host, or lower its limit",
    ],
  ],
  [
    "a task that is larger than any host",
    {
      "berth:hosts": [{ ...host, cpus: 1.5, memory: "8 GB" }],
      "berth:services": { api: { replicas: 1 }, postgres: { resources: { memory: "1.5 GB" } } },
    },
    [
      "berth:hosts: have no room for a task of postgres, got 1.5 cores at most for 2 cores; use a larger host, or lower its limit",
    ],
  ],
];

describe("the sizes of a stack", () => {
  itRejects(refusals, (changes) => problemsOf(sampleRaw(changes)));
});

describe("a system and machines that the stack file says are too small for it", () => {
  it("is refused, each with its place", () => {
    const vm = { name: "vm-1", address: "198.18.0.1", hostKey: sampleHostKey, labels: { edge: "true" } };
    const machine = { memory: "8 GB", cpus: 4, disk: "100 GB" };
    const small = { ...vm, memory: "4 GB", cpus: 2, disk: "80 GB" };
    const refused = (environment: string): string[] =>
      spoilt({ machine }, { "berth:hosts": [small], "berth:environment": environment }).filter((text) =>
        text.includes("system.machine"),
      );
    assert.deepEqual(refused("production"), [
      "berth:hosts[0].cpus: is less than system.machine.cpus asks for, got 2 for 4; use a larger machine",
      'berth:hosts[0].disk: is less than system.machine.disk asks for, got "80 GB" for "100 GB"; use a larger machine',
      'berth:hosts[0].memory: is less than system.machine.memory asks for, got "4 GB" for "8 GB"; use a larger machine',
    ]);
    assert.deepEqual(refused("local"), []);
  });
});
