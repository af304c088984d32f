import type { Tls } from "../config/tls.ts";
import { time } from "./syntax.ts";

/**
 * The group ffdhe3072 of RFC 7919, for suites with DHE: one that everybody knows and that many have looked at, rather
 * than a prime that each host makes for itself.
 *
 * @see https://www.rfc-editor.org/rfc/rfc7919#appendix-A.2
 */
export const dhParameters = `-----BEGIN DH PARAMETERS-----
MIIBiAKCAYEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEfz9zeNVs7ZRkDW7w09N75nAI4YbRvydbmyQd62R0mkff3
7lmMsPrBhtkcrv4TCYUTknC0EwyTvEN5RPT9RFLi103TZPLiHnH1S/9croKrnJ32
nuhtK8UiNjoNq8Uhl5sN6todv5pC1cRITgq80Gv6U93vPBsg7j/VnXwl5B0rZsYu
N///////////AgEC
-----END DH PARAMETERS-----
`;

/** In a site's server. */
export function tlsDirectives({ minVersion, suites, preferServer, sessionTimeout }: Tls): string[] {
  return [
    `ssl_protocols ${minVersion === "1.3" ? "TLSv1.3" : "TLSv1.2 TLSv1.3"};`,
    `ssl_ciphers ${suites.join(":")};`,
    `ssl_prefer_server_ciphers ${preferServer ? "on" : "off"};`,
    `ssl_session_timeout ${time(sessionTimeout)};`,
  ];
}
