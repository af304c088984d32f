import assert from "node:assert/strict";
import fc from "fast-check";
import { networkOf } from "../../components/shared/cidr.ts";
import { dockerDuration, durationPattern, milliseconds, type Duration } from "../../components/shared/duration.ts";
import { ConfigError } from "../../components/shared/errors.ts";
import { imageRefPattern, parseImageRef } from "../../components/shared/image-ref.ts";
import { maxNameLength, physicalName } from "../../components/shared/naming.ts";
import { commandLine, quote } from "../../components/shared/shell.ts";
import { bytes, sizePattern, type Size } from "../../components/shared/size.ts";
import { formatDuration, parseDuration } from "../../lab/plugins/docker/duration.ts";
import { execFileSync } from "node:child_process";

const digest = `sha256:${"0a".repeat(32)}`;

describe("duration", () => {
  const lengths: [Duration, number, string][] = [
    ["0 seconds", 0, "0s"],
    ["500 ms", 500, "500ms"],
    ["1 second", 1000, "1s"],
    ["1.5 seconds", 1500, "1.5s"],
    ["90 seconds", 90_000, "1m30s"],
    ["1 minute", 60_000, "1m"],
    ["5 minutes", 300_000, "5m"],
    ["1.5 hours", 5_400_000, "1h30m"],
    ["3605 seconds", 3_605_000, "1h0m5s"],
    ["36 hours", 129_600_000, "36h"],
  ];
  for (const [text, ms, docker] of lengths) {
    it(`reads ${text} and prints it as the provider does`, () => {
      assert.equal(milliseconds(text), ms);
      assert.equal(dockerDuration(text), docker);
    });
  }

  for (const text of ["", "1", "1s", "1  second", "-1 seconds", "1 day", "1e3 ms", " 1 ms", "1 ms ", ". ms"]) {
    it(`rejects ${JSON.stringify(text)}`, () => {
      assert.equal(durationPattern.test(text), false);
      assert.throws(() => milliseconds(text as Duration), /not a duration/);
    });
  }

  it("has the provider's own form, whatever the unit, so that no preview shows a change", () => {
    const unit = fc.constantFrom("ms", "seconds", "minutes", "hours");
    fc.assert(
      fc.property(fc.nat({ max: 100_000 }), unit, (count, name) => {
        const text = `${count} ${name}` as Duration;
        assert.equal(parseDuration(dockerDuration(text)), milliseconds(text) * 1e6);
        assert.equal(dockerDuration(text), formatDuration(milliseconds(text) * 1e6));
      }),
    );
  });
});

describe("size", () => {
  const sizes: [Size, number][] = [
    ["1 KB", 1024],
    ["0.5 MB", 524_288],
    ["512 MB", 536_870_912],
    ["1.5 GB", 1_610_612_736],
  ];
  for (const [text, count] of sizes) {
    it(`reads ${text}`, () => {
      assert.equal(bytes(text), count);
    });
  }

  it("takes exactly what its pattern takes", () => {
    const near = fc.stringMatching(/^\d{0,3}\.?\d{0,2} ?(B|KB|MB|GB|TB|mb)?$/);
    fc.assert(
      fc.property(near, (text) => {
        const takes = sizePattern.test(text);
        if (takes) assert.ok(bytes(text as Size) >= 0);
        else assert.throws(() => bytes(text as Size), /not a size/);
      }),
    );
  });
});

describe("image reference", () => {
  const references: [string, { repository: string; tag?: string; digest?: string }][] = [
    ["nginx", { repository: "nginx" }],
    ["nginx:1.30", { repository: "nginx", tag: "1.30" }],
    ["localhost:5000/api", { repository: "localhost:5000/api" }],
    ["localhost:5000/api:1.0.0", { repository: "localhost:5000/api", tag: "1.0.0" }],
    [`ghcr.io/acme/api@${digest}`, { repository: "ghcr.io/acme/api", digest }],
    [`ghcr.io/acme/web/api:1.0.0-rc_1@${digest}`, { repository: "ghcr.io/acme/web/api", tag: "1.0.0-rc_1", digest }],
  ];
  for (const [ref, parts] of references) {
    it(`takes ${ref} apart`, () => {
      assert.deepEqual(parseImageRef(ref), { ref, ...parts });
    });
  }

  const wrong = [
    "",
    "Api:1",
    "api:",
    ":1",
    "api@sha256:12",
    `api@sha512:${"0".repeat(64)}`,
    `api@${digest.toUpperCase()}`,
    "https://ghcr.io/acme/api:1",
    "acme//api",
    "api:1 ",
    `api:${"t".repeat(129)}`,
    "api:-1",
  ];
  for (const ref of wrong) {
    it(`rejects ${JSON.stringify(ref.slice(0, 40))}`, () => {
      assert.equal(imageRefPattern.test(ref), false);
      assert.throws(() => parseImageRef(ref), /not an image reference/);
    });
  }

  it("puts together what it took apart", () => {
    const component = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,8})?$/);
    const repository = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
    const tag = fc.option(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/), { nil: undefined });
    const sha = fc.option(fc.stringMatching(/^[0-9a-f]{64}$/), { nil: undefined });
    fc.assert(
      fc.property(repository, tag, sha, (name, version, hex) => {
        const pinned = hex === undefined ? undefined : `sha256:${hex}`;
        const ref = [name, version && `:${version}`, pinned && `@${pinned}`].join("");
        const parts = parseImageRef(ref);
        assert.deepEqual([parts.repository, parts.tag, parts.digest], [name, version, pinned]);
      }),
    );
  });
});

describe("physical name", () => {
  it("joins the system and the thing", () => {
    assert.equal(physicalName("palmistry", "api"), "palmistry-api");
  });

  it("has room for the longest names that a configuration may hold", () => {
    assert.equal(physicalName("s".repeat(30), "t".repeat(30)).length, 61);
    assert.throws(() => physicalName("s".repeat(30), "t".repeat(33)), new RegExp(`more than ${maxNameLength}`));
  });
});

describe("quote", () => {
  it("gives any text to a shell as one word", () => {
    const words = fc.array(
      fc.string({ unit: "grapheme" }).filter((word) => !word.includes("\0")),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(words, (argv) => {
        const script = `printf '%s\\0' ${commandLine([...argv, "end"])}`;
        const output = execFileSync("sh", ["-c", script], { encoding: "utf8" });
        assert.deepEqual(output.split("\0").slice(0, -1), [...argv, "end"]);
      }),
      { numRuns: 40 },
    );
  });

  it("quotes what needs no quotes too, so that equal text is always spelled alike", () => {
    assert.equal(quote("a'b"), "'a'\\''b'");
    assert.equal(quote("plain"), "'plain'");
  });
});

describe("ConfigError", () => {
  it("lists problems by path, list entries in their order", () => {
    const problem = (path: string) => ({ path, message: "is wrong" });
    const error = new ConfigError([problem("b:x[10].a"), problem("b:x[9].a"), problem("a:z")], 'stack "s"');
    assert.equal(
      error.message,
      [
        'stack "s" has 3 problems; nothing was contacted:',
        "  - a:z: is wrong",
        "  - b:x[9].a: is wrong",
        "  - b:x[10].a: is wrong",
      ].join("\n"),
    );
  });

  it("counts a single problem as one", () => {
    assert.match(
      new ConfigError([{ path: "p", message: "m" }]).message,
      /^the configuration has 1 problem; nothing was contacted:\n {2}- p: m$/,
    );
  });
});

describe("the network of an address and a length", () => {
  const networks: [string, string | undefined][] = [
    ["10.1.2.3", "10.1.2.3"],
    ["10.1.2.3/32", "10.1.2.3/32"],
    ["10.1.0.0/16", "10.1.0.0/16"],
    ["10.1.2.3/16", "10.1.0.0/16"],
    ["203.0.113.255/1", "128.0.0.0/1"],
    ["1.2.3.4/0", "0.0.0.0/0"],
    ["::/0", "::/0"],
    ["2001:DB8:0::/32", "2001:DB8:0::/32"],
    ["2001:db8:1::7/33", "2001:db8::/33"],
    ["2001:db8:8000::1/33", "2001:db8:8000::/33"],
    ["::ffff:10.1.2.3/112", "::ffff:a01:0/112"],
    ["10.1.2.3/33", undefined],
    ["2001:db8::/129", undefined],
    ["10.1.2.3/", undefined],
    ["10.1.2.3/-1", undefined],
    ["10.1.2.3/8/8", undefined],
    ["fe80::1%eth0/64", undefined],
    ["10.1.2/24", undefined],
    ["office", undefined],
  ];
  for (const [text, network] of networks)
    it(`is ${network ?? "none"} for ${text}`, () => {
      assert.equal(networkOf(text), network);
    });

  it("is its own network", () => {
    const texts = fc.oneof(
      fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })),
      fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })),
    );
    fc.assert(
      fc.property(texts, ([address, length]) => {
        const network = networkOf(`${address}/${length}`);
        assert.ok(network);
        assert.equal(networkOf(network), network);
      }),
    );
  });
});
