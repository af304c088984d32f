import { isSecretKey } from "../../components/config/secret-rules.ts";
import { parse, type Config, type RawConfig } from "../../components/config/load.ts";
import palmistry from "../../systems/palmistry/system.ts";

/* A stack of palmistry on one host, as a test wants it: nothing is contacted, nothing is a real secret. */

const digest = (filler: string): string => `sha256:${filler.repeat(64)}`;
export const sampleImages = {
  api: `registry.test:5000/palmistry/api:1.0.0@${digest("a")}`,
  frontend: `registry.test:5000/palmistry/frontend:1.0.0@${digest("b")}`,
  worker: `registry.test:5000/palmistry/worker:1.0.0@${digest("c")}`,
  postgres: `registry.test:5000/berth/postgres:15@${digest("d")}`,
  redis: `registry.test:5000/berth/redis:7@${digest("e")}`,
  edge: `registry.test:5000/berth/edge:1.30@${digest("f")}`,
};
export const sampleHostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBerthBerthBerthBerthBerthBerthBerthBerth";

/** Values by full key, as Pulumi hands them over. Keys in `changes` replace or (undefined) remove. */
export function sampleRaw(changes: Record<string, unknown> = {}): RawConfig {
  const values: Record<string, unknown> = {
    "berth:system": "palmistry",
    "berth:environment": "local",
    "berth:domain": "palmistry.test",
    "berth:hosts": JSON.stringify([
      { name: "vm-1", address: "127.0.0.1", port: 2222, hostKey: sampleHostKey, labels: { edge: "true" } },
    ]),
    "berth:registry": JSON.stringify({ address: "registry.test:5000" }),
    "berth:images": JSON.stringify(sampleImages),
    "berth:acme": JSON.stringify({
      directory: "https://pebble.test/dir",
      email: "lab@palmistry.test",
      agreeToTerms: true,
    }),
    "berth:cloudflare": "none",
    "palmistry:OPENAI_API_KEY": "sk-test",
    ...changes,
  };
  return {
    stack: "local",
    values: Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)),
    secretKeys: Object.keys(values).filter((key) => !key.startsWith("berth:") || isSecretKey(key)),
    system: palmistry,
    knownSystems: ["palmistry"],
    environment: { CLOUDFLARE_API_TOKEN: "test-token" },
  };
}

export function sampleConfig(changes: Record<string, unknown> = {}): Config {
  return parse(sampleRaw(changes));
}
