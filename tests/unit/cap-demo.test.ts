import assert from "node:assert/strict";
import type { WebService } from "../../components/config/service.ts";
import type { RedisStore } from "../../components/config/store.ts";
import { configOf, environments } from "../support/systems.ts";

/* What cap-demo asked for, held against its system and stack files. */

for (const environment of environments) {
  const { system, encryptNetworks } = await configOf("cap-demo", environment);
  describe(`cap-demo in ${environment}`, () => {
    const [cp, ap] = ["app-cp", "app-ap"].map((name) => system.services[name] as WebService) as [
      WebService,
      WebService,
    ];
    const stores = ["db-g1", "db-g2"].map((name) => system.data[name] as RedisStore);

    it("has both modes side by side, on 5001 and 5002, three tasks each", () => {
      assert.deepEqual(
        [cp, ap].map(({ port, replicas, image, env }) => [port, replicas, image, env.MODE]),
        [
          [5001, 3, "app-cp", "CP"],
          [5002, 3, "app-ap", "AP"],
        ],
      );
    });

    it("gives each 1 core and 1 GB, and reserves half of that", () => {
      for (const { resources } of [cp, ap]) {
        assert.deepEqual(resources, { memory: "1 GB", cpus: 1, reserveMemory: "512 MB", reserveCpus: 0.5 });
      }
    });

    it("replaces one mode after the other", () => {
      assert.ok(ap.dependsOn.includes("app-cp"));
      assert.ok(!cp.dependsOn.includes("app-ap"));
    });

    it("keeps a visitor on one task", () => {
      assert.deepEqual([cp.balance, ap.balance], ["cookie", "cookie"]);
    });

    it("lets the stack set timeouts, staleness and log level", () => {
      for (const { env } of [cp, ap]) {
        for (const name of ["NETWORK_TIMEOUT_SEC", "MAX_STALENESS_MS"]) assert.match(env[name] ?? "", /^\d+$/);
        assert.match(env.LOG_LEVEL ?? "", /^(WARNING|ERROR)$/);
      }
    });

    it("hands over every secret as a file; keys and passwords are 32 random bytes, each for one purpose", () => {
      for (const { secrets, secretsAsEnv } of [cp, ap]) {
        assert.deepEqual([secrets, secretsAsEnv], [["SECRET_KEY", "DB_G1_URL", "DB_G2_URL"], []]);
      }
      for (const name of ["SECRET_KEY", "DB_G1_PASSWORD", "DB_G2_PASSWORD"]) {
        assert.deepEqual(system.secrets[name], { kind: "generated", length: 64, characters: "hex" });
      }
      assert.deepEqual(
        stores.map(({ passwordSecret }) => passwordSecret),
        ["DB_G1_PASSWORD", "DB_G2_PASSWORD"],
      );
    });

    it("has two Redis with an append-only file and room for 10,000 clients, on a network without a way out", () => {
      for (const store of stores) {
        assert.deepEqual(
          [store.appendonly, store.maxclients, store.maxmemoryPolicy, store.networks],
          [true, 10_000, "noeviction", ["cap"]],
        );
      }
      assert.equal(system.networks.cap?.internal, true);
      assert.equal(encryptNetworks, true);
    });

    it("shows its inside to operators only, and limits visitors no tighter than the application", () => {
      for (const site of system.edge.sites) {
        const access = Object.fromEntries(site.routes.map((route) => [route.path, route.access]));
        assert.deepEqual(access, {
          "/": "public",
          "/health": "public",
          "/metrics": "operators",
          "/circuit-breaker": "operators",
        });
      }
      assert.equal(system.edge.limits.visitors?.rate, "100 r/m");
    });
  });
}
