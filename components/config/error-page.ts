import { z } from "zod";
import { refuse } from "./refusals.ts";
import { oneLine } from "./scalars.ts";

/* What visitors read when something went wrong. */

/** Statuses that an edge or an application answers with; others end a connection, or nobody reads them. */
const statuses = ["400", "401", "403", "404", "405", "408", "410", "413", "414", "415", "422", "429"].concat([
  "500",
  "501",
  "502",
  "503",
  "504",
]);

const status = z.string().refine((code) => statuses.includes(code), {
  error: refuse("is not a status that has a page", `use one of ${statuses.join(", ")}`),
});

export const errorPage = z.strictObject({
  title: oneLine.min(1).max(100).describe("Heading of the page"),
  message: oneLine.max(1000).default("").describe("What visitors read below it"),
  format: z
    .enum(["html", "json"])
    .default("html")
    .describe("A page for people, or an object with `error`, `message` and `requestId` for programs"),
});

export const errorPages = z.record(status, errorPage);

export type ErrorPage = z.output<typeof errorPage>;
export type ErrorPages = z.output<typeof errorPages>;
