import assert from "node:assert/strict";
import { securityHeaders } from "../../components/edge/headers.render.ts";
import type { WebService } from "../../components/config/service.ts";
import type { PostgresStore, RedisStore } from "../../components/config/store.ts";
import { configOf, environments } from "../support/systems.ts";

/* What fitness-crm asked for, held against its system and stack files. */

for (const environment of environments) {
  const { system, cloudflare, domain, firewall } = await configOf("fitness-crm", environment);
  describe(`fitness-crm in ${environment}`, () => {
    const [backend, frontend] = ["backend", "frontend"].map((name) => system.services[name] as WebService) as [
      WebService,
      WebService,
    ];
    const postgres = system.data.postgres as PostgresStore;
    const [sessions, cache] = [system.data.sessions, system.data.cache] as [RedisStore, RedisStore];
    const [site] = system.edge.sites;

    it("has a backend and a frontend with images of their own, more than one task each", () => {
      assert.notEqual(backend.image, frontend.image);
      assert.ok(backend.replicas >= 2 && frontend.replicas >= 2);
    });

    it("is behind Cloudflare, which nobody gets past", () => {
      assert.ok(cloudflare !== "none" && cloudflare.proxied);
      assert.equal(firewall.web, "cloudflare");
    });

    it("has Postgres behind a pooler, whose data a private network keeps", () => {
      assert.ok(postgres.pooler);
      assert.ok((backend.connections["postgres-pooler"] ?? 0) > 0);
      for (const store of Object.values(system.data)) {
        assert.deepEqual("networks" in store && store.networks, ["data"]);
      }
      assert.equal(system.networks.data?.internal, true);
    });

    it("migrates as the owner of the tables and runs with less", () => {
      const { fitness } = postgres.databases;
      assert.deepEqual([fitness?.owner, fitness?.access], ["fitness_owner", { fitness: "write" }]);
      const { DATABASE_URL, MIGRATION_DATABASE_URL } = system.secrets as Record<string, { template: string }>;
      assert.match(DATABASE_URL?.template ?? "", /^postgresql:\/\/fitness:.*@postgres-pooler:6432\//);
      assert.match(MIGRATION_DATABASE_URL?.template ?? "", /^postgresql:\/\/fitness_owner:.*@postgres:5432\//);
    });

    it("logs queries above 50 ms", () => {
      assert.equal(postgres.settings.log_min_duration_statement, "50");
    });

    it("keeps sessions on a Redis that never evicts, and caches on one that does", () => {
      assert.deepEqual([sessions.maxmemoryPolicy, sessions.appendonly], ["noeviction", true]);
      assert.deepEqual([cache.maxmemoryPolicy, cache.appendonly], ["allkeys-lru", false]);
      assert.ok(backend.secrets.includes("SESSION_REDIS_URL") && backend.secrets.includes("CACHE_REDIS_URL"));
    });

    it("limits the API by visitor, and signing in most", () => {
      const limits = Object.fromEntries((site?.routes ?? []).map(({ path, limit }) => [path, limit]));
      assert.deepEqual([limits["/api"], limits["/api/auth"], limits["/api/health"]], ["api", "login", undefined]);
      assert.deepEqual(system.edge.limits.login, { rate: "10 r/m", burst: 5 });
    });

    it("answers operators alone on administration", () => {
      const closed = site?.routes.filter(({ access }) => access === "operators").map(({ path }) => path);
      assert.deepEqual(closed, ["/api/admin"]);
    });

    it("sends its security headers, and lets only its own site call the API and only Sentry hear of errors", () => {
      const headers: Record<string, string> = site ? securityHeaders(site.security) : {};
      for (const name of ["Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options"]) {
        assert.ok(headers[name], name);
      }
      assert.equal(
        headers["Content-Security-Policy"],
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
          "connect-src 'self' https://*.sentry.io; worker-src 'self'; object-src 'none'; base-uri 'self'; " +
          "form-action 'self'; frame-ancestors 'none'",
      );
      assert.equal(backend.env.CORS_ORIGINS, `https://${domain}`);
      assert.deepEqual(site?.cors?.origins, [`https://${domain}`]);
    });

    it("lets browsers keep assets for long, and ask anew for pages and the service worker", () => {
      const cached = (path: string) => site?.routes.find((route) => route.path === path)?.cache;
      assert.deepEqual([cached("/assets"), cached("/"), cached("/api")], ["hashed", "revalidate", "application"]);
    });

    it("takes Sentry's address only when there is one", () => {
      assert.ok(!backend.secrets.includes("SENTRY_DSN"));
    });
  });
}
