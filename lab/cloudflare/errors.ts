/** One entry of `errors` in an answer. */
export interface Problem {
  readonly code: number;
  readonly message: string;
  /** Where in the body, as a JSON pointer; some families of calls tell it. */
  readonly source?: { readonly pointer: string };
}

/** Refusal of a request, in the words and codes of the real API as far as they are known. */
export class ApiError extends Error {
  readonly status: number;
  readonly problems: readonly Problem[];
  /** Seconds after which the caller may try again; without it the caller is told not to. */
  readonly retryAfter: number | undefined;
  /** What the lab says on top, in `messages`; the real API keeps silent. */
  readonly hint: string | undefined;

  constructor(status: number, problems: readonly Problem[], retryAfter?: number, hint?: string) {
    super(problems.map(({ code, message }) => `${message} (${code})`).join("; "));
    this.status = status;
    this.problems = problems;
    this.retryAfter = retryAfter;
    this.hint = hint;
  }
}

export const one = (status: number, code: number, message: string): ApiError =>
  new ApiError(status, [{ code, message }]);
const sameName = "https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/";

/** The refusals that calls of all kinds share, and those of records and settings among others. */
export const refuse = {
  missingToken: () => one(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers"),
  malformedToken: () =>
    new ApiError(400, [
      { code: 6003, message: "Invalid request headers" },
      { code: 6111, message: "Invalid format for Authorization header" },
    ]),
  unknownToken: () => one(403, 9109, "Invalid access token"),
  /** `user/tokens/verify` answers otherwise than the rest. */
  unverifiedToken: () => one(401, 1000, "Invalid API Token"),
  /** Zones and their settings say 9109, the rest 10000. Neither names the permission: that is the lab's addition. */
  forbidden: (needed: readonly string[]) => {
    const [code, message] = /^Zone (Settings )?(Read|Write)$/.test(needed[0] ?? "")
      ? ([9109, "Unauthorized to access requested resource"] as const)
      : ([10_000, "Authentication error"] as const);
    const hint = `the lab adds: this call needs the permission ${needed.map((each) => `"${each}"`).join(" or ")}`;
    return new ApiError(403, [{ code, message }], undefined, hint);
  },
  noRoute: () => one(400, 7000, "No route for that URI"),
  noObject: (path: string) => one(404, 7003, `Could not route to ${path}, perhaps your object identifier is invalid?`),
  method: () => one(405, 10_405, "Method not allowed"),
  noRecord: () => one(404, 81_044, "Record does not exist."),
  body: (why: string) => one(400, 9207, `Request body is invalid: ${why}`),
  /** A field of a body, where the family of calls has no words of its own. */
  field: (path: readonly (string | number)[], why: string): Problem => ({
    code: 9207,
    message: `Request body is invalid: ${path.join(".")}: ${why}`,
  }),
  query: (why: string) => one(400, 9207, `Request query is invalid: ${why}`),
  identical: () => one(400, 81_058, "An identical record already exists."),
  addressExists: () =>
    one(
      400,
      81_053,
      `An A, AAAA, or CNAME record with that host already exists. For more details, refer to <${sameName}>.`,
    ),
  aliasExists: () =>
    one(400, 81_054, `A CNAME record with that host already exists. For more details, refer to <${sameName}>.`),
  unknownSetting: (id: string) => one(400, 1006, `Unrecognized zone setting name: ${id}`),
  settingValue: (id: string) => one(400, 1007, `Invalid value for zone setting ${id}`),
};
