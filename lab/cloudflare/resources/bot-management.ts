import { z } from "zod";
import { singleRoutes } from "../collection.ts";
import { one } from "../errors.ts";
import { limits } from "../plans.ts";
import { zoneOf, type Route } from "../route.ts";

const act = z.enum(["allow", "block", "managed_challenge"]);

const bots = z
  .strictObject({
    ai_bots_protection: z.enum(["block", "disabled", "only_on_ad_pages"]),
    cf_robots_variant: z.enum(["off", "policy_only"]),
    content_bots_protection: z.enum(["block", "disabled"]),
    crawler_protection: z.enum(["enabled", "disabled"]),
    enable_js: z.boolean(),
    fight_mode: z.boolean(),
    is_robots_txt_managed: z.boolean(),
    optimize_wordpress: z.boolean(),
    sbfm_definitely_automated: act,
    sbfm_likely_automated: act,
    sbfm_verified_bots: z.enum(["allow", "block"]),
    sbfm_static_resource_protection: z.boolean(),
    auto_update_model: z.boolean(),
    suppress_session_score: z.boolean(),
    bm_cookie_enabled: z.boolean(),
  })
  .partial();

/** Fields that come with a plan; the rest is there for all. */
const sold = [...limits.enterprise.bots];
const usual: Readonly<Record<string, unknown>> = {
  ai_bots_protection: "disabled",
  cf_robots_variant: "off",
  content_bots_protection: "disabled",
  crawler_protection: "disabled",
  enable_js: false,
  is_robots_txt_managed: false,
  sbfm_definitely_automated: "allow",
  sbfm_likely_automated: "allow",
  sbfm_verified_bots: "allow",
  sbfm_static_resource_protection: false,
  optimize_wordpress: false,
  auto_update_model: true,
  suppress_session_score: false,
  bm_cookie_enabled: true,
};

export const botManagementRoutes: readonly Route[] = singleRoutes({
  path: "bot_management",
  group: "Bot Management",
  change: "PUT",
  schema: bots,
  initial: (call) => {
    const { plan = "business" } = zoneOf(call);
    const had = (key: string) => !sold.includes(key) || limits[plan].bots.includes(key);
    const fields = Object.fromEntries(Object.entries(usual).filter(([key]) => had(key)));
    return { ...fields, ...(plan === "free" ? { fight_mode: false } : {}), using_latest_model: true };
  },
  refuse: (wanted, call) => {
    const { plan = "business" } = zoneOf(call);
    for (const key of Object.keys(wanted)) {
      // Super Bot Fight Mode takes the place of the free plan's switch.
      const had = key === "fight_mode" ? plan === "free" : !sold.includes(key) || limits[plan].bots.includes(key);
      if (!had) throw one(403, 10_002, `${key} is not available for a zone on the ${plan} plan`);
    }
  },
});
