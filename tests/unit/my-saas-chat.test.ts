import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { hostProgram } from "../../components/edge/edge.render.ts";
import { securityHeaders } from "../../components/edge/headers.render.ts";
import { edgeRoot } from "../../components/edge/nginx.render.ts";
import { parse as parseYaml } from "yaml";
import { isEnding, type RunningService, type WebService } from "../../components/config/service.ts";
import { bytes } from "../../components/shared/size.ts";
import { configOf } from "../support/systems.ts";

/* What my-saas-chat asked for, held against its system and stack files. */

const { system, hosts } = await configOf("my-saas-chat", "staging");
const production = await configOf("my-saas-chat", "production");

describe("my-saas-chat", () => {
  const paths = ["auth", "chat", "billing", "analytics", "orchestrator"];
  const applications = [...paths.map((name) => `${name}-service`), "email-worker"];
  const third = ["kong", "jaeger", "prometheus", "grafana"];
  const running = (name: string) => system.services[name] as RunningService;
  const [site, gateway, ...tools] = system.edge.sites;

  it("has six applications, five stores, a gateway and what watches them", () => {
    const jobs = paths.map((name) => `migrate-${name}`);
    assert.deepEqual(Object.keys(system.services).toSorted(), [...applications, ...third, ...jobs].toSorted());
    assert.deepEqual(
      Object.values(system.data)
        .map(({ kind }) => kind)
        .toSorted(),
      ["clickhouse", "mongodb", "postgres", "rabbitmq", "redis"],
    );
  });

  it("has three networks, of which each service joins what it needs", () => {
    assert.deepEqual(system.networks, {
      frontend: { internal: false },
      backend: { internal: true },
      monitoring: { internal: true },
    });
    for (const name of applications) assert.deepEqual(running(name).networks, ["frontend", "backend", "monitoring"]);
    assert.deepEqual(running("kong").networks, ["frontend"]);
    for (const name of third.slice(1)) assert.deepEqual(running(name).networks, ["frontend", "monitoring"]);
    for (const store of Object.values(system.data))
      assert.deepEqual("networks" in store && store.networks, ["backend"]);
  });

  it("keeps the data of each store, and of Jaeger, Prometheus and Grafana, on a volume", () => {
    const volumes = Object.values(system.services).flatMap((one) => (isEnding(one) ? [] : Object.keys(one.volumes)));
    assert.deepEqual(volumes, ["jaeger", "prometheus", "grafana"]);
    assert.equal(Object.values(system.data).filter(({ kind }) => kind !== "managed").length + volumes.length, 8);
  });

  it("explains the thirteen volumes of its document, by places that there are", () => {
    const readme = readFileSync(new URL("../../systems/my-saas-chat/README.md", import.meta.url), "utf8");
    const [, table = ""] = /## Its thirteen volumes\n([^]*?)\n## /.exec(readme) ?? [];
    const rows = [...table.matchAll(/^\| (.+?) +\| (\d+) +\| (.+?) +\|$/gm)].map(([, what, count, place]) => ({
      what: what ?? "",
      count: Number(count),
      place: place ?? "",
    }));
    assert.equal(
      rows.reduce((sum, { count }) => sum + count, 0),
      13,
    );
    const docker = rows.filter(({ place }) => place.startsWith("Docker volumes"));
    assert.deepEqual(
      docker.map(({ what, count }) => [what.split(", ").length, count]),
      [
        [5, 5],
        [3, 3],
      ],
    );
    const kept = rows.flatMap(({ place }) => /^`(\/[^`]+)`/.exec(place)?.[1] ?? []);
    assert.equal(kept.length, 4);
    const named = kept.map((place) => place.replace(`${edgeRoot}/`, "$root/"));
    for (const place of named) assert.ok(hostProgram().includes(place), place);
  });

  it("reserves and limits its applications as its document has it", () => {
    const small = { memory: "512 MB", cpus: 1, reserveMemory: "256 MB", reserveCpus: 0.5 };
    const medium = { memory: "768 MB", cpus: 1.5, reserveMemory: "384 MB", reserveCpus: 0.5 };
    const large = { memory: "1 GB", cpus: 2, reserveMemory: "512 MB", reserveCpus: 1 };
    const figures = [small, medium, small, medium, large];
    paths.forEach((name, index) => {
      assert.deepEqual(running(`${name}-service`).resources, figures[index], name);
    });
  });

  it("fits into 4 cores and 8 GB in staging, with the memory of everything at its limit", () => {
    const things = [...Object.values(system.services).filter((one) => !isEnding(one)), ...Object.values(system.data)];
    const sum = things.reduce((total, thing) => total + ("resources" in thing ? bytes(thing.resources.memory) : 0), 0);
    assert.ok(sum <= bytes("8 GB"), `${sum / bytes("1 GB")} GB`);
    assert.deepEqual(
      hosts.map(({ memory, cpus }) => [memory, cpus]),
      [["8 GB", 4]],
    );
  });

  it("runs its applications as 1001 and gives slow starters 30 s", () => {
    for (const name of applications) {
      const { user, health } = running(name);
      assert.deepEqual([user, health.startPeriod], ["1001:1001", "30 seconds"], name);
    }
  });

  it("migrates each application's own database with its image, before it", () => {
    for (const name of paths) {
      const job = system.services[`migrate-${name}`];
      assert.deepEqual([job?.kind, job?.image], ["job", name]);
      assert.ok(running(`${name}-service`).dependsOn.includes(`migrate-${name}`));
      assert.ok((job?.dependsOn ?? []).length > 0, name);
    }
  });

  it("generates secrets of 64 hexadecimal characters, one for each purpose, and asks for what others issue", () => {
    const of = (kind: string) => Object.entries(system.secrets).filter(([, spec]) => spec.kind === kind);
    assert.ok(of("generated").length >= 10);
    for (const [name, spec] of of("generated")) {
      assert.deepEqual(spec, { kind: "generated", length: 64, characters: "hex" }, name);
    }
    assert.deepEqual(
      of("supplied").map(([name]) => name),
      ["OPENAI_API_KEY", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "SMTP_URL"],
    );
    assert.ok(of("supplied").every(([, spec]) => spec.kind === "supplied" && !spec.optional));
  });

  it("leads five paths to their services, sockets to chat, and limits logins most", () => {
    assert.deepEqual(
      site?.routes.map(({ path, service, websocket }) => [path, service, websocket]),
      [...paths.map((name) => [`/api/${name}`, `${name}-service`, false]), ["/ws", "chat-service", true]],
    );
    assert.deepEqual(
      site.routes.map(({ limit }) => limit),
      ["auth", "chat", "api", "api", "api", undefined],
    );
    const perSecond = Object.fromEntries(
      Object.entries(system.edge.limits).map(([name, { rate }]) => [name, Number.parseInt(rate ?? "")]),
    );
    assert.equal(Math.min(...Object.values(perSecond)), perSecond.auth);
    for (const name of paths) assert.equal((running(`${name}-service`) as WebService).balance, "least-connections");
  });

  it("has Kong behind the edge with declarative routes to the same services, for key holders only", () => {
    assert.deepEqual(
      gateway?.routes.map(({ service }) => service),
      ["kong"],
    );
    const config = parseYaml(running("kong").files["/etc/kong/kong.yml"] ?? "") as {
      plugins: { name: string }[];
      services: { url: string; routes: { paths: string[]; strip_path: boolean }[] }[];
    };
    assert.ok(config.plugins.some(({ name }) => name === "key-auth"));
    assert.deepEqual(
      config.services.map(({ url, routes }) => [url, routes[0]?.paths, routes[0]?.strip_path]),
      paths.map((name) => [`http://${name}-service:3000`, [`/api/${name}`], false]),
    );
  });

  it("shows Grafana, Prometheus and Jaeger to operators only", () => {
    assert.deepEqual(
      tools.flatMap(({ routes }) => routes.map(({ service, access }) => [service, access])),
      [
        ["grafana", "operators"],
        ["prometheus", "operators"],
        ["jaeger", "operators"],
      ],
    );
  });

  it("has Prometheus ask every task of the applications by itself, and Jaeger listen to them", () => {
    const config = parseYaml(running("prometheus").files["/etc/prometheus/prometheus.yml"] ?? "") as {
      scrape_configs: { job_name: string; dns_sd_configs?: { names: string[]; type: string; port: number }[] }[];
    };
    const [found] = config.scrape_configs.find(({ job_name }) => job_name === "applications")?.dns_sd_configs ?? [];
    assert.deepEqual([found?.names, found?.type, found?.port], [applications.slice(0, 5), "A", 3000]);
    for (const name of applications) {
      assert.equal(running(name).env.OTEL_EXPORTER_OTLP_ENDPOINT, "http://jaeger:4318");
    }
    assert.equal(running("jaeger").env.BADGER_SPAN_STORE_TTL, "72h");
  });

  it("sends its security headers from every host", () => {
    for (const { security, host } of system.edge.sites) {
      const headers = securityHeaders(security);
      for (const name of ["Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options"]) {
        assert.ok(headers[name], `${host} ${name}`);
      }
      assert.match(headers["Content-Security-Policy"] ?? "", /frame-ancestors 'none'/);
    }
  });

  it("asks 8 GB, four cores and 100 GB of each of its machines", () => {
    assert.deepEqual(system.machine, { memory: "8 GB", cpus: 4, disk: "100 GB" });
  });

  it("scales its applications by a number", () => {
    const counts = (config: typeof production) =>
      paths.map((name) => (config.system.services[`${name}-service`] as WebService).replicas);
    assert.deepEqual(counts(production), [2, 2, 2, 2, 2]);
  });
});
