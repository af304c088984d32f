import type { Finding, Path } from "./findings.ts";
import { show } from "./refusals.ts";

// Networks and domains that RFC 5737 and RFC 2606 set aside for manuals: they stand in files to be replaced.
const documentationAddress = /^(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+$/;
const documentationName = /(^|[.@])example(\.(com|net|org))?$/;

/** Refuses a `text` whose `name` belongs to documentation. */
export function placeholder(path: Path, text: string | undefined, name: string | undefined, cure: string): Finding[] {
  if (name === undefined || !(documentationAddress.test(name) || documentationName.test(name))) return [];
  return [{ path, message: `is an address for documentation, got ${show(text)}; ${cure}` }];
}
