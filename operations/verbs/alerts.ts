import { renderCertificateAlerts } from "../../components/edge/alerts.render.ts";
import { exitCodes, type Verb } from "../verb.ts";

export const verb: Verb = {
  usage: "",
  help: [
    "Prints alert rules for a Prometheus of yours that reads the metrics of the edge hosts, as a file for its",
    "`rule_files`: certificates that expire, were not renewed, or are not looked after.",
    "",
    "Example: npm run --silent berth -- alerts >berth-certificates.rules.yml",
  ].join("\n"),
  options: {},
  positionals: { min: 0, max: 0 },
  run(context) {
    context.print(renderCertificateAlerts().trimEnd());
    return Promise.resolve(exitCodes.done);
  },
};
