import { createHash } from "node:crypto";
import { z } from "zod";
import { cloudflareRanges } from "../../../components/cloudflare/ranges.ts";
import { refuse } from "../errors.ts";
import type { ApiAnswer, ApiRequest } from "../route.ts";

const listed = z.strictObject({ ipv4_cidrs: z.array(z.string()), ipv6_cidrs: z.array(z.string()) });

/** `GET /ips`: Cloudflare's networks, as they are published, or as somebody in the lab has ordered. */
export class Ranges {
  #listed: z.output<typeof listed> = {
    ipv4_cidrs: cloudflareRanges.filter((network) => network.includes(".")),
    ipv6_cidrs: cloudflareRanges.filter((network) => network.includes(":")),
  };

  /** Publishes another list from now on, right or wrong. */
  order(list: unknown): void {
    this.#listed = listed.parse(list);
  }

  /** The list of China's network is not there: the lab has none. */
  answer(request: ApiRequest): ApiAnswer {
    if (request.method !== "GET") throw refuse.method();
    const etag = createHash("md5").update(JSON.stringify(this.#listed)).digest("hex");
    return { result: { ...this.#listed, etag } };
  }
}
