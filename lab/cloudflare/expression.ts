import { isIP } from "node:net";

type Type = "text" | "number" | "address" | "truth" | "map" | "list";

/** The fields of the rules language that the lab knows, with what they hold. */
const fields: Readonly<Record<string, Type>> = {
  "http.host": "text",
  "http.cookie": "text",
  "http.referer": "text",
  "http.user_agent": "text",
  "http.x_forwarded_for": "text",
  "http.request.method": "text",
  "http.request.version": "text",
  "http.request.uri": "text",
  "http.request.uri.path": "text",
  "http.request.uri.path.extension": "text",
  "http.request.uri.query": "text",
  "http.request.uri.args": "map",
  "http.request.full_uri": "text",
  "http.request.headers": "map",
  "http.request.headers.names": "list",
  "http.request.cookies": "map",
  "http.request.timestamp.sec": "number",
  "http.request.body.size": "number",
  "http.response.code": "number",
  "http.response.headers": "map",
  "http.response.headers.names": "list",
  "http.response.content_type.media_type": "text",
  "raw.http.request.uri": "text",
  "raw.http.request.uri.path": "text",
  "raw.http.request.uri.query": "text",
  "ip.src": "address",
  "ip.src.asnum": "number",
  "ip.src.country": "text",
  "ip.src.continent": "text",
  "ip.src.is_in_european_union": "truth",
  "ip.geoip.asnum": "number",
  "ip.geoip.country": "text",
  "ip.geoip.continent": "text",
  "cf.bot_management.score": "number",
  "cf.bot_management.verified_bot": "truth",
  "cf.client.bot": "truth",
  "cf.verified_bot_category": "text",
  "cf.edge.server_port": "number",
  "cf.ray_id": "text",
  "cf.threat_score": "number",
  "cf.tls_client_auth.cert_presented": "truth",
  "cf.tls_client_auth.cert_verified": "truth",
  "cf.waf.score": "number",
  "cf.zone.name": "text",
  ssl: "truth",
};

const functions: Readonly<Record<string, Type>> = {
  all: "truth",
  any: "truth",
  concat: "text",
  ends_with: "truth",
  len: "number",
  lower: "text",
  regex_replace: "text",
  remove_bytes: "text",
  starts_with: "truth",
  substring: "text",
  to_string: "text",
  upper: "text",
  url_decode: "text",
  wildcard_replace: "text",
};

const comparisons = [
  ...["eq", "==", "ne", "!=", "lt", "<", "le", "<=", "gt", ">", "ge", ">=", "contains", "matches", "~", "wildcard"],
  ...["strict", "in"],
];

interface Token {
  readonly kind: "name" | "text" | "number" | "address" | "sign" | "end";
  readonly text: string;
  readonly at: number;
}

export interface Language {
  /** Fields of the answer exist only once there is one. */
  readonly response: boolean;
  /** `matches` and `regex_replace`. */
  readonly regularExpressions: boolean;
}

/** What is wrong with an expression, in the words of the rules engine; nothing when it can be used as a filter. */
export function filterProblem(expression: string, language: Language): string | undefined {
  return problemOf(
    expression,
    (parser) => {
      parser.filter();
    },
    language,
  );
}

/** The same for an expression that makes a text, such as the target of a redirect. */
export function valueProblem(expression: string, language: Language): string | undefined {
  return problemOf(
    expression,
    (parser) => {
      parser.text();
    },
    language,
  );
}

class ParsingError extends Error {
  readonly at: number;
  readonly length: number;

  constructor(message: string, token: Token) {
    super(message);
    this.at = token.at;
    this.length = Math.max(1, token.text.length);
  }
}

function problemOf(expression: string, parse: (parser: Parser) => void, language: Language): string | undefined {
  try {
    const parser = new Parser(expression, language);
    parse(parser);
    parser.end();
    return undefined;
  } catch (error) {
    if (!(error instanceof ParsingError)) throw error;
    const mark = " ".repeat(error.at) + "^".repeat(error.length);
    return `Filter parsing error (1:${error.at + 1}):\n${expression}\n${mark} ${error.message}\n`;
  }
}

/** Reads an expression from left to right; what it means is of no interest here, only whether it holds together. */
class Parser {
  readonly #tokens: readonly Token[];
  readonly #language: Language;
  #next = 0;

  constructor(expression: string, language: Language) {
    this.#tokens = tokenize(expression);
    this.#language = language;
  }

  filter(): void {
    do this.#term();
    while (this.#take("and", "&&", "or", "||", "xor", "^^"));
  }

  text(): void {
    const start = this.#peek();
    const type = this.#value();
    if (type !== "text") throw new ParsingError(`expected value of type Bytes, but got ${type}`, start);
  }

  end(): void {
    if (this.#peek().kind !== "end") throw new ParsingError("unrecognised input", this.#peek());
  }

  #term(): void {
    if (this.#take("not", "!")) this.#term();
    else if (this.#take("(")) {
      this.filter();
      this.#expect(")");
    } else this.#comparison();
  }

  #comparison(): void {
    const start = this.#peek();
    if (this.#take("true", "false")) return;
    const type = this.#value();
    const operator = this.#peek();
    if (!comparisons.includes(operator.text)) {
      if (type !== "truth") throw new ParsingError("expected a comparison operator", this.#peek());
      return;
    }
    if (type === "map" || type === "list")
      throw new ParsingError("unsupported comparison of a whole map or list", start);
    this.#next += 1;
    if (operator.text === "strict") this.#expect("wildcard");
    const regular = operator.text === "matches" || operator.text === "~";
    if (regular && !this.#language.regularExpressions)
      throw new ParsingError("the use of operator Matches is not allowed, a Business plan is required", operator);
    if (operator.text === "in") this.#set(type);
    else this.#literal(["contains", "matches", "~", "wildcard", "strict"].includes(operator.text) ? "text" : type);
  }

  #set(type: Type): void {
    if (/^\$/.test(this.#peek().text)) throw new ParsingError("lists do not exist in the lab", this.#peek());
    this.#expect("{");
    do this.#literal(type);
    while (this.#peek().text !== "}");
    this.#expect("}");
  }

  #literal(type: Type): void {
    const token = this.#peek();
    const fits =
      type === "text"
        ? token.kind === "text"
        : type === "number"
          ? token.kind === "number"
          : type === "address" && token.kind === "address";
    if (!fits) throw new ParsingError(`expected a literal of type ${type}`, token);
    this.#next += 1;
  }

  #value(): Type {
    const token = this.#peek();
    this.#next += 1;
    if (token.kind === "text") return "text";
    if (token.kind === "number") return "number";
    if (token.kind !== "name") throw new ParsingError("expected an identifier or a literal", token);
    if (this.#peek().text === "(") return this.#call(token);
    const type = Object.hasOwn(fields, token.text) ? fields[token.text] : undefined;
    const isThere = this.#language.response || !token.text.startsWith("http.response.");
    if (!type || !isThere) throw new ParsingError("unknown identifier", token);
    return this.#index(type);
  }

  /** `["name"]`, `[0]` and `[*]`: of a map come lists, of a list its members. */
  #index(type: Type): Type {
    let current = type;
    while (this.#take("[")) {
      if (current !== "map" && current !== "list") throw new ParsingError("cannot be indexed", this.#peek());
      const key = this.#peek();
      if (key.kind !== "text" && key.kind !== "number" && key.text !== "*")
        throw new ParsingError("expected an index", key);
      this.#next += 1;
      this.#expect("]");
      current = current === "map" ? "list" : "text";
    }
    return current;
  }

  #call(name: Token): Type {
    const type = Object.hasOwn(functions, name.text) ? functions[name.text] : undefined;
    if (!type) throw new ParsingError("unknown identifier", name);
    if (name.text === "regex_replace" && !this.#language.regularExpressions)
      throw new ParsingError("the use of function regex_replace is not allowed, a Business plan is required", name);
    this.#expect("(");
    // Its argument is a comparison with every member of a list.
    if (name.text === "any" || name.text === "all") this.filter();
    else
      do this.#value();
      while (this.#take(","));
    this.#expect(")");
    return type;
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: "end", text: "", at: this.#tokens.at(-1)?.at ?? 0 };
  }

  #take(...texts: readonly string[]): boolean {
    const { kind, text } = this.#peek();
    if (kind === "text" || !texts.includes(text)) return false;
    this.#next += 1;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw new ParsingError(`expected "${text}"`, this.#peek());
  }
}

const patterns: readonly (readonly [Token["kind"], RegExp])[] = [
  ["text", /r#"[\s\S]*?"#/y],
  ["text", /r"[^"]*"/y],
  ["text", /"(?:[^"\\]|\\.)*"/y],
  ["address", /(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]+)(?:\/\d{1,3})?(?:\.\.[0-9a-fA-F:.]+)?/y],
  ["number", /-?\d+/y],
  ["name", /[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*/y],
  ["sign", /\$[a-z0-9_.]+|&&|\|\||\^\^|[=!<>]=|[<>!~(){}[\],*]/y],
];

function tokenize(expression: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; ;) {
    at += /^\s*/.exec(expression.slice(at))?.[0].length ?? 0;
    if (at >= expression.length) return [...tokens, { kind: "end", text: "", at: expression.length }];
    const token = tokenAt(expression, at);
    tokens.push(token);
    at += token.text.length;
  }
}

function tokenAt(expression: string, at: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(expression)?.[0];
    if (text === undefined) continue;
    const token = { kind, text, at };
    if (kind === "address" && isIP(text.split(/\/|\.\./)[0] ?? "") === 0)
      throw new ParsingError("invalid address", token);
    return token;
  }
  throw new ParsingError("unrecognised input", { kind: "end", text: expression.charAt(at), at });
}
