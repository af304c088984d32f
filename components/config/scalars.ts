import { z } from "zod";
import { networkOf } from "../shared/cidr.ts";
import { parseCron } from "../shared/cron.ts";
import { durationPattern, milliseconds, type Duration } from "../shared/duration.ts";
import { bytes, sizePattern, type Size } from "../shared/size.ts";
import { refuse } from "./refusals.ts";

/* Single values that the vocabularies of systems and stacks share. */

// Docker takes a length of nothing for "not given" and puts its own default there.
export const duration = z
  .custom<Duration>((v) => typeof v === "string" && durationPattern.test(v) && milliseconds(v as Duration) > 0, {
    error: refuse("is not a duration", 'write a number above 0, a blank and a unit, for example "30 seconds"'),
  })
  .meta({ type: "string", title: "duration", pattern: durationPattern.source });
// A limit of nothing is no limit.
export const size = z
  .custom<Size>((v) => typeof v === "string" && sizePattern.test(v) && bytes(v as Size) > 0, {
    error: refuse("is not a size", 'write a number above 0, a blank and KB, MB or GB, for example "512 MB"'),
  })
  .meta({ type: "string", title: "size", pattern: sizePattern.source });
/** A DNS label: names services, networks, stores and hosts. */
export const label = z
  .string()
  .regex(/^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$/, {
    error: refuse("is not a name", "use lower-case letters, digits and hyphens, a letter first, at most 30 characters"),
  })
  .meta({ title: "name" });
export const port = z
  .int()
  .min(1, { error: refuse("is out of range", "use a port from 1 to 65535") })
  .max(65535, { error: refuse("is out of range", "use a port from 1 to 65535") });
export const envName = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]*$/, {
    error: refuse("is not a variable name", "use upper-case letters, digits and underscores, a letter first"),
  })
  .meta({ title: "variable name" });
/** Docker's names of secrets have 64 characters, of which Pulumi's own part takes 16. */
export const secretName = envName.max(48, {
  error: refuse("is too long for a secret", "use at most 48 characters"),
});
/** A path inside a container or of a request. */
export const absolutePath = z
  .string()
  .startsWith("/", { error: refuse("is not an absolute path", "start it with /") })
  .meta({ title: "path" });
/** A path as nginx compares it: decoded, and without what it takes out (`//`, `/./`, `/../`). */
export const routePath = absolutePath.refine((text) => !/[%?#]|\/\/|\/\.\.?(\/|$)/.test(text), {
  error: refuse("matches no request", "write it decoded, without a query, %, //, /./ or /../"),
  abort: true,
});
export const imageKey = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,29}$/, {
    error: refuse("is not an image key", "use lower-case letters, digits and hyphens, a letter first"),
  })
  .describe("Key of the image under `berth:images` in the stack file");
export const sqlName = z.string().regex(/^[a-z_][a-z0-9_]{0,62}$/, {
  error: refuse("is not a database name", "use lower-case letters, digits and underscores, at most 63 characters"),
});
/** A value that ends up in a line of a rendered file. */
export const oneLine = z
  .string()
  .regex(/^[^\p{Cc}]*$/u, { error: refuse("has control characters", "write it on one line") });
export const headerName = z.string().regex(/^[A-Za-z0-9-]+$/, {
  error: refuse("is not a header name", "use letters, digits and hyphens"),
});
export const rate = z.string().regex(/^[1-9]\d* r\/(s|m)$/, {
  error: refuse("is not a rate", 'write for example "10 r/s" or "100 r/m", at least "1 r/m"'),
});
/** Never root: by number, for a name means what the image says. */
export const numericUser = z
  .string()
  .regex(/^[1-9]\d*:[1-9]\d*$/, {
    error: refuse("is not a numeric user and group", 'write for example "1000:1000"; root is refused'),
  })
  .meta({ title: "user and group" });
export const pem = z.string().regex(/^-----BEGIN CERTIFICATE-----\n[^]+\n-----END CERTIFICATE-----\s*$/, {
  error: refuse("is not a certificate", "paste it from BEGIN CERTIFICATE to END CERTIFICATE, lines kept with `|`"),
});
export const cronTimes = z
  .custom<string>((v) => typeof v === "string" && !(parseCron(v) instanceof Error), {
    error: (issue) => {
      const problem = typeof issue.input === "string" ? parseCron(issue.input) : undefined;
      const cure =
        problem instanceof Error ? problem.message : 'write five fields in quotes, for example "30 3 * * sun"';
      return refuse("is not a time to run at", cure)(issue);
    },
  })
  .meta({ type: "string", title: "cron" });
const zones = new Set(["UTC", ...Intl.supportedValuesOf("timeZone")]);
export const timeZone = z
  .string()
  .refine((name) => zones.has(name), {
    error: refuse("is not a time zone", 'write "UTC", or a name of the tz database, for example "Europe/Berlin"'),
  })
  .meta({ title: "time zone" });
/** Of networks, those that begin where they say: of others, nginx and the firewall would take the whole, unasked. */
export function whole(networks: z.ZodType<string, string>) {
  return networks.refine((text) => [undefined, text].includes(networkOf(text)), {
    error: (issue) => {
      const text = String(issue.input);
      const address = `${text.split("/")[0] ?? ""}/${text.includes(":") ? 128 : 32}`;
      const cure = `write ${networkOf(text) ?? ""} for all of it, or ${address} for the one address`;
      return refuse("is not where its network begins", cure)(issue);
    },
  });
}
/** An address, or a network of them in CIDR notation. */
export const addressRange = whole(
  z.string().refine((text) => networkOf(text) !== undefined, {
    error: refuse("is not an address or a network", "write for example 198.18.7.1 or 198.18.0.0/15"),
  }),
);
