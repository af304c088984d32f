import { z } from "zod";
import { hexId, text } from "../schema.ts";

export const actionName = z.string().regex(/^[a-z_]+$/);
const sensitivity = z.enum(["default", "medium", "low", "eoff"]);
const override = {
  action: actionName.optional(),
  enabled: z.boolean().optional(),
  sensitivity_level: sensitivity.optional(),
};
const seconds = z.int().min(0);
const status = z.int().min(100).max(999);
const names = z.array(text).min(1);
const valueOrExpression = z
  .strictObject({ value: text.optional(), expression: text.optional() })
  .refine(({ value, expression }) => (value === undefined) !== (expression === undefined), {
    error: "must have either value or expression",
  });
const query = z.strictObject({
  include: z.union([names, z.strictObject({ list: names }), z.strictObject({ all: z.literal(true) })]).optional(),
  exclude: z.union([names, z.strictObject({ list: names }), z.strictObject({ all: z.literal(true) })]).optional(),
});

/** What `action_parameters` may hold, by action. */
export const parameters: Readonly<Record<string, z.ZodType>> = {
  block: z
    .strictObject({
      response: z
        .strictObject({
          status_code: z.int().min(400).max(499),
          content: text,
          content_type: z.enum(["application/json", "text/html", "text/plain", "text/xml"]),
        })
        .optional(),
    })
    .optional(),
  skip: z
    .strictObject({
      ruleset: z.literal("current").optional(),
      phases: z
        .array(z.enum(["http_ratelimit", "http_request_firewall_managed", "http_request_sbfm"]))
        .min(1)
        .optional(),
      products: z
        .array(z.enum(["bic", "hot", "rateLimit", "securityLevel", "uaBlock", "waf", "zoneLockdown"]))
        .min(1)
        .optional(),
      rulesets: z.array(hexId).min(1).optional(),
      rules: z.record(hexId, z.array(hexId).min(1)).optional(),
    })
    .refine((each) => Object.keys(each).length > 0, { error: "must say what to skip" }),
  execute: z.strictObject({
    id: hexId,
    overrides: z
      .strictObject({
        ...override,
        categories: z
          .array(z.strictObject({ ...override, category: text }))
          .min(1)
          .optional(),
        rules: z
          .array(z.strictObject({ ...override, id: hexId, score_threshold: z.int().optional() }))
          .min(1)
          .optional(),
      })
      .optional(),
  }),
  set_cache_settings: z.strictObject({
    cache: z.boolean().optional(),
    edge_ttl: z
      .strictObject({
        mode: z.enum(["respect_origin", "bypass_by_default", "override_origin"]),
        default: seconds.optional(),
        status_code_ttl: z
          .array(
            z.strictObject({
              status_code: status.optional(),
              status_code_range: z.strictObject({ from: status.optional(), to: status.optional() }).optional(),
              value: z.int().min(-1),
            }),
          )
          .min(1)
          .optional(),
      })
      .optional(),
    browser_ttl: z
      .strictObject({
        mode: z.enum(["respect_origin", "bypass_by_default", "override_origin", "bypass"]),
        default: seconds.optional(),
      })
      .optional(),
    cache_key: z
      .strictObject({
        cache_by_device_type: z.boolean().optional(),
        cache_deception_armor: z.boolean().optional(),
        ignore_query_strings_order: z.boolean().optional(),
        custom_key: z
          .strictObject({
            query_string: query.optional(),
            header: z
              .strictObject({
                include: names.optional(),
                check_presence: names.optional(),
                contains: z.record(text, names).optional(),
                exclude_origin: z.boolean().optional(),
              })
              .optional(),
            cookie: z.strictObject({ include: names.optional(), check_presence: names.optional() }).optional(),
            user: z
              .strictObject({
                device_type: z.boolean().optional(),
                geo: z.boolean().optional(),
                lang: z.boolean().optional(),
              })
              .optional(),
            host: z.strictObject({ resolved: z.boolean().optional() }).optional(),
          })
          .optional(),
      })
      .optional(),
    serve_stale: z.strictObject({ disable_stale_while_updating: z.boolean().optional() }).optional(),
    origin_cache_control: z.boolean().optional(),
    origin_error_page_passthru: z.boolean().optional(),
    respect_strong_etags: z.boolean().optional(),
    read_timeout: z.int().min(100).max(6000).optional(),
    additional_cacheable_ports: z.array(z.int().min(1).max(65_535)).min(1).optional(),
  }),
  rewrite: z.strictObject({
    headers: z
      .record(
        z.string().regex(/^[A-Za-z0-9_-]+$/),
        z.strictObject({
          operation: z.enum(["set", "add", "remove"]),
          value: text.optional(),
          expression: text.optional(),
        }),
      )
      .refine((headers) => Object.keys(headers).length > 0, { error: "must name at least one header" }),
  }),
  redirect: z.strictObject({
    from_value: z.strictObject({
      status_code: z.literal([301, 302, 303, 307, 308]).default(302),
      target_url: valueOrExpression,
      preserve_query_string: z.boolean().default(false),
    }),
  }),
};
export const noParameters = z.strictObject({}).optional();
