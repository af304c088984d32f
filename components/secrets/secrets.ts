import * as pulumi from "@pulumi/pulumi";
import type * as Docker from "@pulumi/docker";
import type { Config } from "../config/load.ts";
import type { GeneratedSecret, SecretSpec } from "../config/secret.ts";
import { docker, random } from "../shared/providers.ts";
import { compose, references } from "./compose.ts";

export interface SecretsArgs {
  readonly config: Pick<Config, "system" | "secretGenerations" | "supplied">;
  readonly provider: Docker.Provider;
}

/** A secret in the swarm, as a service mounts it. */
export interface SecretFile {
  readonly secretId: pulumi.Output<string>;
  readonly secretName: pulumi.Output<string>;
}

const drawnFrom = {
  alphanumeric: { special: false },
  // What the provider calls special is whatever it is told to be.
  hex: { special: true, overrideSpecial: "0123456789abcdef", upper: false, lower: false, numeric: false },
} as const;

/**
 * The secrets of a system: generated, supplied by the operator, or composed of others.
 *
 * Rotation is one `pulumi up`: a new value makes a new Docker secret under a new name, services move to it, and the
 * old one is removed when everything else is done. That order matters, because until a rollout has converged the
 * swarm may go back to the old service, which cannot start without its secret. It holds because names are Pulumi's
 * (a secret that is named here would be deleted before its successor is made) and because a rollout that does not
 * converge fails the program: an `up` that failed deletes nothing.
 *
 * Creates: one `random.RandomPassword` per generated secret, one `docker.Secret` per secret that is used as a file.
 * Stateful: yes; generated values are kept, encrypted, in Pulumi's state alone.
 */
export class Secrets extends pulumi.ComponentResource {
  readonly #name: string;
  readonly #args: SecretsArgs;
  readonly #generated: ReadonlyMap<string, pulumi.Output<string>>;
  readonly #files = new Map<string, SecretFile>();

  constructor(name: string, args: SecretsArgs, opts?: pulumi.ComponentResourceOptions) {
    const { secrets } = args.config.system;
    super("berth:secrets:Secrets", name, { generations: args.config.secretGenerations }, opts);
    this.#name = name;
    this.#args = args;

    this.#generated = new Map(
      Object.entries(secrets).flatMap(([secret, spec]) =>
        spec.kind === "generated" ? [[secret, this.#generate(secret, spec)]] : [],
      ),
    );

    this.registerOutputs({});
  }

  /** Value of a secret, marked as one. */
  value(name: string): pulumi.Output<string> {
    const spec = this.#spec(name);
    if (spec.kind === "composed") return this.#compose(spec.template);
    const value = spec.kind === "generated" ? this.#generated.get(name) : this.#args.config.supplied[name];
    if (!value) throw new Error(`no value for secret "${name}"`);
    return pulumi.secret(value);
  }

  /** The secret as a file for services, made at its first use. */
  file(name: string): SecretFile {
    const known = this.#files.get(name);
    if (known) return known;
    const secret = new docker.Secret(
      `${this.#name}-${name}`,
      { data: this.value(name).apply((value) => Buffer.from(value).toString("base64")) },
      { parent: this, provider: this.#args.provider },
    );
    const file = { secretId: secret.id, secretName: secret.name };
    this.#files.set(name, file);
    return file;
  }

  #spec(name: string): SecretSpec {
    const spec = this.#args.config.system.secrets[name];
    if (!spec) throw new Error(`no secret "${name}"`);
    return spec;
  }

  #generate(name: string, { length, characters }: GeneratedSecret): pulumi.Output<string> {
    const generation = this.#args.config.secretGenerations[name] ?? 1;
    const password = new random.RandomPassword(
      `${this.#name}-${name}`,
      // Letters and digits need no quoting in any file, URL or shell.
      { length, ...drawnFrom[characters], keepers: { generation: String(generation) } },
      { parent: this },
    );
    return password.result;
  }

  #compose(template: string): pulumi.Output<string> {
    const names = references(template);
    const values = pulumi.all(Object.fromEntries(names.map((name) => [name, this.value(name)])));
    return pulumi.secret(values.apply((resolved) => compose(template, resolved)));
  }
}
