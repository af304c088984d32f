import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cloudflareRanges } from "../../components/cloudflare/ranges.ts";
import { firewall } from "../../components/fleet/firewall.render.ts";
import { rangesProgram, renderRanges } from "../../components/fleet/ranges.render.ts";
import { checkScript } from "../support/shell.ts";

const v4 = cloudflareRanges.filter((network) => network.includes("."));
const v6 = cloudflareRanges.filter((network) => network.includes(":"));
const published = (ipv4: unknown, ipv6: unknown = v6): string =>
  JSON.stringify({
    result: { ipv4_cidrs: ipv4, ipv6_cidrs: ipv6, etag: "e" },
    success: true,
    errors: [],
    messages: [],
  });
const further = "198.51.64.0/20";

describe("the networks of Cloudflare on a host", () => {
  let directory: string;
  let server: Server;
  let answer: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "berth-ranges-"));
    await file("refresh", rangesProgram(), 0o755);
    await file("seed", `${cloudflareRanges.join("\n")}\n`);
    await file("rules.nft", rules(cloudflareRanges));
    await file("nft", `#!/bin/sh\ncat >>"$0.loaded"\n`, 0o755);
    await file("edge", `#!/bin/sh\necho "$@" >>"$0.asked"\n`, 0o755);
    const places = { rules: "rules.nft", pending: "pending", nft: "nft", edge: "edge", metrics: "metrics.prom" };
    const settings = Object.entries(places).map(([what, name]) => [what, join(directory, name)]);
    await file("settings.json", JSON.stringify(Object.fromEntries(settings)));
    server = createServer((_, response) => response.end(answer)).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
  });
  afterEach(async () => {
    server.close();
    await rm(directory, { recursive: true });
  });

  const file = async (name: string, text: string, mode = 0o644): Promise<void> => {
    await writeFile(join(directory, name), text);
    await chmod(join(directory, name), mode);
  };
  const read = (name: string): Promise<string> => readFile(join(directory, name), "utf8").catch(() => "");
  const list = async (): Promise<string[]> => (await read("cloudflare")).split("\n").filter(Boolean);

  /** A firewall's file with its sets as a host has them. */
  function rules(networks: readonly string[]): string {
    const set = (version: number, mark: string) =>
      `  set proxies${version} {\n    type ipv${version}_addr\n    flags interval\n    auto-merge\n` +
      `    elements = { ${networks.filter((one) => one.includes(mark)).join(", ")} }\n  }\n`;
    return `table inet berth {\n${set(4, ".")}${set(6, ":")}  chain web {\n    ip saddr @proxies4 accept\n  }\n}\n`;
  }

  function refresh(...words: string[]): Promise<{ code: number; output: string }> {
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4/ips`;
    return new Promise((resolve) => {
      execFile(join(directory, "refresh"), [address, ...words], (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, output: stdout + stderr });
      });
    });
  }

  it("are taken as they are published, by the firewall at once and at the next boot, and by nginx", async () => {
    answer = published([...v4, further]);
    assert.deepEqual(await refresh(), {
      code: 0,
      output: "23 networks are in force, 22 were\nthe firewall lets in the networks of the new list\n",
    });
    assert.deepEqual(await list(), [...v4, further, ...v6]);
    assert.equal(await read("rules.nft"), rules([...v4, further, ...v6]));
    assert.equal(
      await read("nft.loaded"),
      `flush set inet berth proxies4\nadd element inet berth proxies4 { ${[...v4, further].join(", ")} }\n` +
        `flush set inet berth proxies6\nadd element inet berth proxies6 { ${v6.join(", ")} }\n`,
    );
    assert.equal(await read("edge.asked"), "ranges\n");
    assert.match(await read("metrics.prom"), /^berth_cloudflare_ranges_last_attempt_failed 0\n/m);
    assert.match(await read("metrics.prom"), /^berth_cloudflare_ranges_refreshed_timestamp_seconds \d+\n/m);
  });

  it("are left alone while the list is the one in force", async () => {
    answer = published(v4);
    assert.deepEqual(await refresh(), { code: 0, output: "" });
    assert.deepEqual([await list(), await read("nft.loaded")], [[], ""]);
  });

  const spoilt: Record<string, readonly [answer: string, complaint: RegExp]> = {
    "what is not JSON": ["<html>", /does not answer with JSON, got b'<html>'/],
    "a failure": [JSON.stringify({ success: false, result: null, errors: [] }), /the answer is not a success/],
    "a list without networks": [published([]), /ipv4_cidrs is no list of networks, got \[\]/],
    "a list without those of IPv6": [published(v4, null), /ipv6_cidrs is no list of networks/],
    "what is no network": [
      published([...v4, "173.245.48.1/20"]),
      /holds what is no network, got "173\.245\.48\.1\/20"/,
    ],
    "an address that would end a line": [published([...v4, "1.2.3.0/24;\nallow all"]), /holds what is no network/],
    "a network of the other kind": [published([...v4, "2606:4700::/32"]), /ipv4_cidrs holds what is no network/],
    "half of the world": [published([...v4, "0.0.0.0/1"]), /cannot be Cloudflare's, got 0\.0\.0\.0\/1/],
    "a private network": [published([...v4, "10.0.0.0/16"]), /cannot be Cloudflare's, got 10\.0\.0\.0\/16/],
    "far fewer networks": [published(v4.slice(4)), /5 of 16 networks of IPv4 are missing, 173\.245\.48\.0\/20, /],
    "far more networks": [
      published([...v4, ...Array.from({ length: 17 }, (_, n) => `11.0.${n}.0/24`)]),
      /17 networks of IPv4 are new beside 16, .*; see cloudflare\.com\/ips; .* with `accept`/,
    ],
  };
  for (const [what, [text, complaint]] of Object.entries(spoilt)) {
    it(`stay as they were when the answer is ${what}`, async () => {
      answer = published([...v4, further]);
      await refresh();
      answer = text;
      const { code, output } = await refresh();
      assert.equal(code, 1);
      assert.match(output, complaint);
      assert.match(output, /the last good list stays in force/);
      assert.deepEqual(await list(), [...v4, further, ...v6]);
      assert.equal(await read("rules.nft"), rules([...v4, further, ...v6]));
      assert.match(await read("metrics.prom"), /^berth_cloudflare_ranges_last_attempt_failed 1\n/m);
    });
  }

  it("stay as they were when nobody answers", async () => {
    answer = published(v4);
    await new Promise((resolve) => server.close(resolve));
    server = createServer().listen(0, "127.0.0.1");
    server.on("connection", (socket) => socket.destroy());
    await new Promise((resolve) => server.once("listening", resolve));
    const { code, output } = await refresh();
    assert.equal(code, 1);
    assert.match(output, /does not answer: /);
  });

  it("change as much as somebody has looked at", async () => {
    answer = published(v4.slice(4));
    assert.equal((await refresh("accept")).code, 0);
    assert.deepEqual(await list(), [...v4.slice(4), ...v6]);
  });

  it("reach what an earlier run did not reach", async () => {
    answer = published([...v4, further]);
    await file("pending", "");
    const { code, output } = await refresh();
    assert.deepEqual([code, output.includes("the firewall is being changed")], [1, true]);
    await rm(join(directory, "pending"));
    assert.equal((await refresh()).code, 0);
    assert.match(await read("rules.nft"), /198\.51\.64\.0\/20/);
    assert.equal(await read("edge.asked"), "ranges\n");
  });

  it("leave the firewall's file as it was when the kernel refuses the sets", async () => {
    answer = published([...v4, further]);
    await file("nft", "#!/bin/sh\ncat >/dev/null\necho no such set >&2\nexit 1\n", 0o755);
    const { code, output } = await refresh();
    assert.deepEqual([code, /nft ended with 1: no such set/.test(output)], [1, true]);
    assert.equal(await read("rules.nft"), rules(cloudflareRanges));
  });

  it("leave a firewall alone that lets in anyone", async () => {
    answer = published([...v4, further]);
    await file("rules.nft", "table inet berth {\n}\n");
    assert.equal((await refresh()).code, 0);
    assert.deepEqual([await read("rules.nft"), await read("nft.loaded")], ["table inet berth {\n}\n", ""]);
  });

  it("are in the firewall's file in the words that the refresh looks for", () => {
    const host = { name: "a", address: "203.0.113.7", labels: { edge: "true" } } as never;
    const web = { ssh: ["0.0.0.0/0"], web: "cloudflare" as const, http3: false };
    const { body } = firewall({ stack: "s", host, hosts: [host], firewall: web, proxyRanges: cloudflareRanges });
    assert.match(body, /set proxies4 \{[^}]*elements = \{ \$\(proxies \.\) \}/);
    assert.match(body, /set proxies6 \{[^}]*elements = \{ \$\(proxies :\) \}/);
  });
});

describe("the timer of Cloudflare's networks", () => {
  const render = (api: string | undefined) =>
    renderRanges({ host: { name: "web-1" }, api, proxyRanges: cloudflareRanges });

  it("asks Cloudflare's API where visitors come through it", () => {
    const script = render("https://api.cloudflare.com/client/v4");
    checkScript(script);
    assert.match(
      script,
      /^ExecStart=\/var\/lib\/berth\/ranges\/refresh https:\/\/api\.cloudflare\.com\/client\/v4\/ips$/m,
    );
  });

  it("is taken away where they do not", () => {
    const script = render(undefined);
    checkScript(script);
    assert.doesNotMatch(script, /OnCalendar/);
    assert.match(script, /systemctl disable --quiet --now berth-ranges\.timer/);
  });
});
