import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import Docker from "dockerode";
import { ensureImages } from "../../lab/build.ts";
import { execIn, labLabel, removeLabObjects } from "../../lab/docker.ts";
import { labImages } from "../../lab/images.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "../..");
const docker = new Docker();
const name = `t-${randomBytes(4).toString("hex")}`;

/** Characters that a shell, SQL and a configuration file each read in their own way. */
const awkward = `s3'c"re\\t $(id)`;

describe("images of the stores", function () {
  this.timeout(300_000);
  let directory: string;
  let images: Readonly<Record<string, string>>;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "berth-stores-"));
    await chmod(directory, 0o755);
    const published = labImages(root).published.filter(({ repository }) => ["postgres", "redis"].includes(repository));
    const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "berth");
    const wanted = published.map(({ image }) => image);
    await ensureImages(docker, cache, wanted, (step) => process.stderr.write(`${step}\n`));
    images = Object.fromEntries(published.map(({ repository, image }) => [repository, image.tag]));
  });
  after(async () => {
    await removeLabObjects(docker, { name });
    await rm(directory, { recursive: true });
  });

  /** As the swarm starts a store: read-only, without capabilities, the volume and the secret mounted. */
  async function start(
    store: "postgres" | "redis",
    options: { volume: string; data: string; env: string[]; tmpfs: string[]; command: string[] },
  ) {
    const container = await docker.createContainer({
      Image: images[store],
      Cmd: options.command,
      Env: options.env,
      Labels: { [labLabel]: name },
      HostConfig: {
        Init: true,
        ReadonlyRootfs: true,
        CapDrop: ["ALL"],
        Tmpfs: Object.fromEntries(options.tmpfs.map((path) => [path, ""])),
        Binds: [`${options.volume}:${options.data}`, `${directory}:/run/secrets:ro`],
      },
    });
    await container.start();
    return container;
  }

  async function volume(store: string): Promise<string> {
    const volumeName = `${name}-${store}`;
    await docker.createVolume({ Name: volumeName, Labels: { [labLabel]: name } });
    return volumeName;
  }

  async function password(text: string): Promise<void> {
    await writeFile(join(directory, "PASSWORD"), text);
  }

  async function processes(container: Docker.Container): Promise<string> {
    return await execIn(container, ["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]);
  }

  describe("postgres", () => {
    const startPostgres = async (from: string) => {
      const container = await start("postgres", {
        volume: from,
        data: "/var/lib/postgresql/data",
        env: ["POSTGRES_USER=app", "POSTGRES_DB=orders", "POSTGRES_PASSWORD_FILE=/run/secrets/PASSWORD"],
        tmpfs: ["/tmp", "/run/postgresql"],
        command: ["-c", "shared_buffers=32MB"],
      });
      await until("postgres accepts connections", 60_000, async () => {
        const ready = execIn(container, ["pg_isready", "--quiet", "--username", "app", "--dbname", "orders"]);
        return await ready.then(
          () => true,
          () => undefined,
        );
      });
      return container;
    };
    /** Over TCP, where the password counts; it is read from a file as everywhere. */
    const ask = async (container: Docker.Container, secret: string, sql: string) => {
      const escaped = secret.replace(/[\\:]/g, "\\$&");
      await writeFile(join(directory, "pgpass"), `*:*:*:*:${escaped}\n`);
      const prepare = "umask 077; cat /run/secrets/pgpass >/tmp/pgpass; PGPASSFILE=/tmp/pgpass";
      const psql = `psql -qtA -h 127.0.0.1 -U app orders -c "${sql}"`;
      return (await execIn(container, ["sh", "-c", `${prepare} ${psql}`])).trim();
    };

    it("makes the role, without further rights, and its database, once", async () => {
      await password(awkward);
      const data = await volume("postgres");
      const first = await startPostgres(data);
      await ask(first, awkward, "CREATE TABLE kept AS SELECT 7 AS number");
      assert.equal(await ask(first, awkward, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"), "f");
      assert.ok(!(await processes(first)).includes("s3'c"), "the password is an argument of no process");
      await first.stop();
      const second = await startPostgres(data);
      assert.equal(await ask(second, awkward, "SELECT number FROM kept"), "7");
      await second.remove({ force: true });
    });

    it("takes a rotated password at its next start, also after a kill, and the old one no longer", async () => {
      await password("new-password");
      const container = await startPostgres(await volume("postgres"));
      assert.equal(await ask(container, "new-password", "SELECT 1"), "1");
      await assert.rejects(ask(container, awkward, "SELECT 1"), /password authentication failed/);
      await container.remove({ force: true });
    });

    it("begins again when its initialisation was interrupted", async () => {
      await password(awkward);
      const data = await volume("postgres-interrupted");
      const spoilt = await docker.createContainer({
        Image: images["postgres"],
        Entrypoint: ["sh", "-c", "mkdir $PGDATA/.new && echo 15 >$PGDATA/.new/PG_VERSION"],
        Labels: { [labLabel]: name },
        HostConfig: { Binds: [`${data}:/var/lib/postgresql/data`] },
      });
      await spoilt.start();
      await spoilt.wait();
      const container = await startPostgres(data);
      assert.equal(await ask(container, awkward, "SELECT current_database()"), "orders");
      await container.remove({ force: true });
    });
  });

  describe("redis", () => {
    const startRedis = async () => {
      const container = await start("redis", {
        volume: await volume("redis"),
        data: "/data",
        env: ["REDIS_PASSWORD_FILE=/run/secrets/PASSWORD"],
        tmpfs: ["/tmp"],
        command: ["--appendonly", "yes"],
      });
      const health = `REDISCLI_AUTH="$(cat /run/secrets/PASSWORD)" redis-cli ping | grep -q PONG`;
      await until("redis answers", 30_000, () =>
        execIn(container, ["sh", "-c", health]).then(
          () => true,
          () => undefined,
        ),
      );
      return container;
    };
    const ask = (container: Docker.Container, command: string) =>
      execIn(container, ["sh", "-c", `REDISCLI_AUTH="$(cat /run/secrets/PASSWORD)" redis-cli ${command}`]);

    it("wants the password, which is an argument of no process", async () => {
      await password(awkward);
      const container = await startRedis();
      assert.match(await execIn(container, ["redis-cli", "get", "key"]), /NOAUTH/);
      assert.ok(!(await processes(container)).includes("s3'c"));
      await container.remove({ force: true });
    });

    it("keeps what it was told over a restart", async () => {
      await password(awkward);
      const first = await startRedis();
      assert.match(await ask(first, "set key value"), /OK/);
      await first.stop();
      const second = await startRedis();
      assert.match(await ask(second, "get key"), /value/);
      await second.remove({ force: true });
    });
  });
});
