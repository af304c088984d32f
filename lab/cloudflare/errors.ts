/** One entry of `errors` in an answer. */
export interface Problem {
  readonly code: number;
  readonly message: string;
}

/** Refusal of a request, in the words and codes of the real API as far as they are known. */
export class ApiError extends Error {
  readonly status: number;
  readonly problems: readonly Problem[];
  /** Seconds after which the caller may try again; without it the caller is told not to. */
  readonly retryAfter: number | undefined;

  constructor(status: number, problems: readonly Problem[], retryAfter?: number) {
    super(problems.map(({ code, message }) => `${message} (${code})`).join("; "));
    this.status = status;
    this.problems = problems;
    this.retryAfter = retryAfter;
  }
}

const one = (status: number, code: number, message: string) => new ApiError(status, [{ code, message }]);
const sameName = "https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/";

/** Every refusal that is not about the content of a record or a setting. */
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
  /** DNS calls say 10000; zones and their settings say 9109. Neither names the permission. */
  dnsForbidden: () => one(403, 10_000, "Authentication error"),
  zoneForbidden: () => one(403, 9109, "Unauthorized to access requested resource"),
  noRoute: () => one(400, 7000, "No route for that URI"),
  noObject: (path: string) => one(404, 7003, `Could not route to ${path}, perhaps your object identifier is invalid?`),
  method: () => one(405, 10_405, "Method not allowed"),
  noRecord: () => one(404, 81_044, "Record does not exist."),
  body: (why: string) => one(400, 9207, `Request body is invalid: ${why}`),
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
