import assert from "node:assert/strict";
import { sampleHostKey } from "../support/sample-config.ts";
import { itRejects, type Refusal } from "../support/refusals.ts";
import { spoilt } from "../support/spoilt-system.ts";

/* Schedules that cannot be kept, and what is said about them. */

const upkeep = {
  kind: "schedule",
  image: "api",
  cron: "30 3 * * sun",
  timeout: "1 hour",
  networks: ["data"],
  resources: { memory: "64 MB" },
};

const refusals: readonly Refusal[] = [
  [
    "a schedule without its times, in no time zone",
    {
      "services.upkeep": { ...upkeep, cron: undefined, timeZone: "Mars/Olympus", timeout: undefined },
    },
    [
      "system.services.upkeep.cron: is missing; add it: When it runs: minute, hour, day of month, month and day of week, " +
        'for example "30 3 * * sun"; with both days given, either will do',
      "system.services.upkeep.timeout: is missing; add it: A run that takes longer has failed, and is ended",
      'system.services.upkeep.timeZone: is not a time zone, got "Mars/Olympus"; write "UTC", or a name of the tz database, ' +
        'for example "Europe/Berlin"',
    ],
  ],
  [
    "times that cron does not know",
    { "services.upkeep": { ...upkeep, cron: "61 3 * * *" } },
    [
      'system.services.upkeep.cron: is not a time to run at, got "61 3 * * *"; write as its minute * or numbers from 0 to ' +
        '59, ranges a-b, steps */n or a-b/n, and lists of these, instead of "61"',
    ],
  ],
  [
    "too few fields of cron",
    { "services.upkeep": { ...upkeep, cron: "@daily" } },
    [
      'system.services.upkeep.cron: is not a time to run at, got "@daily"; write five fields: minute, hour, day of month, ' +
        'month, day of week, for example "30 3 * * sun"',
    ],
  ],
  [
    "a schedule that a store has no connection for",
    { "services.upkeep": { ...upkeep, connections: { db: 8 } }, "data.db.maxConnections": 10 },
    [
      "system.data.db.maxConnections: is less than the tasks of a rollout may open, got 10 for upkeep 1 × 8 + " +
        "administration 3 = 11; write 11 or more, or give services fewer replicas or smaller pools",
    ],
  ],
  [
    "what waits for a schedule",
    { "services.upkeep": upkeep, "services.api.dependsOn": ["upkeep"] },
    [
      'system.services.api.dependsOn[0]: is a schedule, got "upkeep"; remove it: a schedule runs at its times, whoever waits',
    ],
  ],
];

describe("a schedule", () => {
  itRejects(refusals, spoilt);
});

describe("a schedule on hosts that are full without it", () => {
  it("is refused with the arithmetic: it runs beside everything else", () => {
    const host = { name: "vm-1", address: "vm-1", hostKey: sampleHostKey, labels: { edge: "true" }, memory: "1 GB" };
    assert.deepEqual(spoilt({}, { "berth:hosts": [host] }), []);
    assert.deepEqual(spoilt({ "services.upkeep": upkeep }, { "berth:hosts": [host] }), [
      "berth:hosts: have less memory than the limits of what runs on them, got vm-1 1 GB for api 128 MB + mail 128 MB + " +
        "upkeep 64 MB + db 128 MB + queue 128 MB + edge 512 MB = 1.06 GB; add memory or hosts, or lower limits and replicas",
    ]);
  });
});
