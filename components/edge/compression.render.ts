import { block } from "./syntax.ts";

/** Text that gets smaller, beside HTML, which nginx always compresses. */
const texts = [
  ...["application/javascript", "application/json", "application/ld+json", "application/manifest+json"],
  ...["application/xml", "image/svg+xml", "text/css", "text/javascript", "text/plain", "text/xml"],
].join(" ");

/**
 * Of an answer that has a secret and a stranger's words in it, compressed, the length tells the secret, a letter at a
 * time (BREACH). The stranger needs a visitor's browser to ask for it, from a page that is not this site's: such
 * requests are passed on as if their browser took no compression, whoever would do it. Files whose names change with
 * their content hold no secrets. The directives that switch compression take no variables, hence the request header.
 */
const strangersWords = [
  "# Browsers say who made them ask; older ones at best from which page. Where nobody says it, a cookie is reason enough.",
  ...block("map $http_sec_fetch_site $asked_by", [
    '"" $asked_from;',
    ...["same-origin", "same-site", "none"].map((site) => `${site} visitor;`),
    "default stranger;",
  ]),
  ...block('map "$host $http_referer" $asked_from', [
    '"~^[^ ]+ $" $asked_with;',
    '"~^([^ ]+) https://\\1(:[0-9]+)?(/|$)" visitor;',
    "default stranger;",
  ]),
  ...block("map $http_cookie $asked_with", ['"" visitor;', "default stranger;"]),
  ...block('map "$cache $asked_by" $encodings', [
    '"~^hashed " $http_accept_encoding;',
    '"~ visitor$" $http_accept_encoding;',
    'default "";',
  ]),
  'more_set_input_headers -r "Accept-Encoding: $encodings";',
];

/** In nginx's `http` block. Needs the modules `brotli` and `headers_more`. */
export const compression: readonly string[] = [
  "# Of what a visitor takes, brotli is preferred.",
  "brotli on;",
  "brotli_comp_level 4;",
  "brotli_min_length 1024;",
  `brotli_types ${texts};`,
  "gzip on;",
  "gzip_vary on;",
  "gzip_proxied any;",
  "gzip_comp_level 5;",
  "gzip_min_length 1024;",
  `gzip_types ${texts};`,
  ...strangersWords,
];
