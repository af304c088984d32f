import assert from "node:assert/strict";
import { parse } from "yaml";
import { lateSeconds, renderCertificateAlerts } from "../../components/edge/alerts.render.ts";
import { hostProgram } from "../../components/edge/edge.render.ts";
import { verb } from "../../operations/verbs/alerts.ts";
import { golden } from "../support/golden.ts";

const day = 86_400;

describe("alerts on certificates", () => {
  it("are rules for Prometheus", () => {
    golden("edge/certificates.rules.yml", renderCertificateAlerts());
  });

  it("ask for metrics that edge hosts write, each with a time and a severity", () => {
    const { groups } = parse(renderCertificateAlerts()) as Rules;
    const [, written = ""] = /^ *for metric in (.*); do$/m.exec(hostProgram()) ?? [];
    for (const { alert, expr, labels, ...rule } of groups.flatMap(({ rules }) => rules)) {
      const asked = [...expr.matchAll(/berth_certificate_(\w+)/g)].map((match) => match[1]);
      assert.deepEqual(
        asked.filter((name) => !written.split(" ").includes(name!)),
        [],
        alert,
      );
      assert.match(rule.for, /^\d+[mh]$/, alert);
      assert.match(labels.severity, /^(warning|critical)$/, alert);
    }
  });

  it("come later than the renewal is due, and a month before the end at the latest", () => {
    for (const days of [6, 90, 365, 5475]) {
      assert.ok(lateSeconds(days * day) < (days * day) / 3, `${days} days`);
      assert.ok(lateSeconds(days * day) <= 30 * day, `${days} days`);
    }
    assert.equal(lateSeconds(90 * day), 13.5 * day);
  });

  it("are printed for a file of rules", async () => {
    const printed: string[] = [];
    const context = { root: ".", print: (text: string) => printed.push(text), note: () => undefined };
    const openRegistry = () => Promise.reject(new Error("is not asked"));
    assert.equal(await verb.run({ ...context, openRegistry }, [], {}), 0);
    assert.equal(`${printed.join("\n")}\n`, renderCertificateAlerts());
  });
});

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly alert: string;
      readonly expr: string;
      readonly for: string;
      readonly labels: { readonly severity: string };
    }[];
  }[];
}
