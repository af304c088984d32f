import assert from "node:assert/strict";
import type { Site } from "../../components/config/edge.ts";
import { securityHeaders } from "../../components/edge/headers.render.ts";
import { isEnding, type RunningService } from "../../components/config/service.ts";
import { milliseconds } from "../../components/shared/duration.ts";
import { bytes } from "../../components/shared/size.ts";
import { healthTest } from "../../components/workloads/workloads.ts";
import { sampleConfig, sampleImages } from "../support/sample-config.ts";

/* What palmistry asked for, held against its system file. */

const { system } = sampleConfig({ "palmistry:SENTRY_DSN": "https://key@sentry.test/1" });
const { migrate } = system.services;
const running = Object.entries(system.services).flatMap(([name, service]) =>
  isEnding(service) ? [] : [[name, service] as [string, RunningService]],
);
const { api, frontend, worker } = Object.fromEntries(running);
const [site, apiHost] = system.edge.sites as readonly Site[] as [Site, Site];
const routeOf = (host: Site, path: string) => host.routes.find((route) => route.path === path)!;

describe("palmistry", () => {
  it("has an API, a frontend and a worker, each with an image of its own, none as root", () => {
    assert.deepEqual(
      running.map(([name, { image }]) => [name, image]),
      [
        ["api", "api"],
        ["frontend", "frontend"],
        ["worker", "worker"],
      ],
    );
    assert.deepEqual([...new Set(Object.values(system.services).map(({ user }) => user))], ["1000:1000"]);
  });

  it("runs at least three tasks of the API on 8000 and asks them by HTTP what the edge asks too", () => {
    assert.ok(api!.kind === "web" && api!.port === 8000 && api!.replicas >= 3);
    assert.deepEqual([api!.health.path, api!.health.retries, api!.health.startPeriod], ["/health", 3, "5 seconds"]);
    const asked = "wget -q -O /dev/null 'http://127.0.0.1:8000/health'";
    assert.deepEqual(healthTest(api!.health, 8000), ["CMD-SHELL", asked]);
    assert.equal(routeOf(apiHost, "/health").service, "api");
  });

  it("migrates with the API's image before API and worker", () => {
    assert.deepEqual([migrate!.kind, migrate!.image], ["job", "api"]);
    for (const service of [api!, worker!]) assert.ok(service.dependsOn.includes("migrate"));
  });

  it("keeps the stores, and what needs only them, away from any way out", () => {
    assert.deepEqual(system.networks, {
      edge: { internal: false },
      backend: { internal: false },
      data: { internal: true },
    });
    for (const store of Object.values(system.data))
      assert.deepEqual(store.kind !== "managed" && store.networks, ["data"]);
    assert.deepEqual(migrate!.networks, ["data"]);
    assert.ok(!frontend!.networks.includes("data"));
  });

  it("hands API and worker every secret as a file, and what is optional only when it is set", () => {
    const required =
      "DATABASE_URL REDIS_URL CELERY_BROKER_URL CELERY_RESULT_BACKEND OPENAI_API_KEY SECRET_KEY JWT_SECRET";
    for (const service of [api!, worker!]) {
      assert.deepEqual(service.secrets, [...required.split(" "), "SENTRY_DSN"]);
      assert.deepEqual(service.secretsAsEnv, []);
    }
    assert.deepEqual(sampleConfig().system.services.api!.secrets, required.split(" "));
  });

  it("generates its own keys, each for one purpose", () => {
    const generated = Object.entries(system.secrets).filter(([, { kind }]) => kind === "generated");
    const names = ["SECRET_KEY", "JWT_SECRET", "POSTGRES_PASSWORD", "REDIS_PASSWORD"];
    assert.deepEqual(
      generated.map(([name]) => name),
      names,
    );
    for (const [name, spec] of generated) assert.ok(spec.kind === "generated" && spec.length >= 32, name);
    assert.match((system.secrets.DATABASE_URL as { template: string }).template, /^postgresql\+asyncpg:\/\//);
  });

  it("has the settings that the application expects", () => {
    const common = {
      LOG_LEVEL: "INFO",
      CACHE_TTL: "3600",
      JWT_ALGORITHM: "HS256",
      JWT_EXPIRATION: "3600",
      OPENAI_RATE_LIMIT: "100",
      DATABASE_POOL_TIMEOUT: "30",
      REDIS_MAX_CONNECTIONS: "50",
      MAX_FILE_SIZE: String(10 * 1024 * 1024),
    };
    for (const service of [api!, worker!]) assert.deepEqual({ ...service.env, ...common }, service.env);
    assert.deepEqual([api!.env.DATABASE_POOL_SIZE, api!.env.DATABASE_MAX_OVERFLOW], ["20", "30"]);
  });

  it("declares as connections what the pools may open", () => {
    const pool = Number(api!.env.DATABASE_POOL_SIZE) + Number(api!.env.DATABASE_MAX_OVERFLOW);
    assert.deepEqual(api!.connections, { postgres: pool, redis: Number(api!.env.REDIS_MAX_CONNECTIONS) });
  });

  it("keeps queues and sessions on a Redis that never evicts", () => {
    assert.equal((system.data.redis as { maxmemoryPolicy: string }).maxmemoryPolicy, "noeviction");
  });

  it("keeps uploads on one volume for API and worker, where the application looks for them", () => {
    for (const service of [api!, worker!]) {
      assert.deepEqual(service.volumes, { uploads: service.env.FILE_STORAGE_ROOT });
    }
  });

  it("routes /api/ to the API and the rest to the frontend, and the API's host to the API alone", () => {
    assert.deepEqual([site.host, apiHost.host], ["palmistry.test", "api.palmistry.test"]);
    assert.equal(routeOf(site, "/").service, "frontend");
    const others = site.routes.filter(({ service }) => service !== "frontend");
    assert.ok(others.every(({ path, service }) => path.startsWith("/api/") && service === "api"));
    assert.ok(others.every(({ stripPrefix }) => !stripPrefix));
    assert.ok(apiHost.routes.every(({ service }) => service === "api"));
  });

  it("has browsers and the CDN keep what Next names by its content", () => {
    const kept = site.routes.filter(({ cache }) => cache === "hashed").map(({ path, service }) => [path, service]);
    assert.deepEqual(kept, [["/_next/static", "frontend"]]);
  });

  it("limits visitors of the API to 10 requests a second, but for health and WebSockets", () => {
    assert.deepEqual(system.edge.limits, { api: { rate: "10 r/s", burst: 20 } });
    for (const [host, path] of [
      [site, "/api/"],
      [apiHost, "/"],
    ] as const) {
      assert.equal(routeOf(host, path).limit, "api");
    }
    for (const [host, path] of [
      [site, "/api/health"],
      [apiHost, "/health"],
    ] as const) {
      assert.deepEqual([routeOf(host, path).limit, routeOf(host, path).accessLog], [undefined, false]);
    }
    assert.equal(routeOf(site, "/api/ws").websocket, true);
  });

  it("takes uploads of the allowed size with what is wrapped around them, and waits 30 s for the API", () => {
    for (const host of [site, apiHost]) {
      const uploads = host.routes.find(({ limit }) => limit === "api")!;
      assert.ok(bytes(uploads.bodySize) >= Number(api!.env.MAX_FILE_SIZE) + 1024 ** 2);
      assert.equal(milliseconds(uploads.timeout), 30_000);
    }
  });

  it("sends its security headers from both hosts", () => {
    const headers = {
      "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
      "X-Frame-Options": "DENY",
      "X-Content-Type-Options": "nosniff",
      "X-XSS-Protection": "1; mode=block",
    };
    for (const host of [site, apiHost]) {
      const sent: Record<string, string> = { ...securityHeaders(host.security), ...host.headers };
      assert.deepEqual({ ...sent, ...headers }, sent);
      assert.match(sent["Content-Security-Policy"] ?? "", /frame-ancestors 'none'/);
    }
    assert.match(securityHeaders(site.security)["Content-Security-Policy"] ?? "", /script-src-attr 'none'/);
    assert.match(securityHeaders(apiHost.security)["Content-Security-Policy"] ?? "", /^default-src 'none'/);
  });

  it("lets the site's own pages read what the API's host says, and no other site's", () => {
    assert.deepEqual([site.cors, apiHost.cors?.origins], [undefined, ["https://palmistry.test"]]);
  });

  it("takes a managed Postgres in place of its own, with the URL supplied", () => {
    const { postgres: _, ...images } = sampleImages;
    const { system: managed } = sampleConfig({
      "berth:managed": JSON.stringify({ postgres: { urlSecret: "DATABASE_URL", maxConnections: 500 } }),
      "berth:images": JSON.stringify(images),
      "palmistry:DATABASE_URL": "postgresql+asyncpg://palmistry:secret@pooler.provider.test:6543/postgres",
    });
    assert.equal(managed.data.postgres?.kind, "managed");
    assert.deepEqual(managed.secrets.DATABASE_URL, { kind: "supplied", optional: false });
    assert.deepEqual(
      Object.entries(managed.services).map(([name, { secrets }]) => [name, secrets.includes("DATABASE_URL")]),
      Object.entries(system.services).map(([name, { secrets }]) => [name, secrets.includes("DATABASE_URL")]),
    );
  });
});
