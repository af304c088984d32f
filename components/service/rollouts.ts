import * as pulumi from "@pulumi/pulumi";
import type { Wanted } from "./convergence.judge.ts";

/** Waits until the swarm runs exactly what is wanted; throws with the reason when it does not. */
export type Converge = (wanted: WantedService, report: (progress: string) => void) => Promise<void>;

export interface WantedService extends Wanted {
  /** Physical name of the service. */
  readonly name: string;
  /** Milliseconds that the rollout may take, image pull excluded. */
  readonly budgetMs: number;
}

/** How a rollout is told of while and after it happens. */
export interface Voice {
  readonly progress: (text: string) => void;
  readonly failure: (text: string) => Promise<void>;
}

/** Rollouts by physical name, with those that each of them waits for. */
export type RolloutPlan = Readonly<Record<string, readonly string[]>>;

interface Outcome {
  readonly name: string;
  /** `held`: it was not started, for something that it waits for did not let it. */
  readonly state: "live" | "failed" | "held";
  /** What waits for it may start. */
  readonly released: boolean;
}

/**
 * The rollouts of one `pulumi up`.
 *
 * A failure ends the program, and with it whatever else it follows. So the first one waits for all that are under way
 * or still come: every one of them is reported, and the end of the run says which is live and which is not. Nothing
 * that depends on a service starts once any rollout has failed.
 */
export class Rollouts {
  readonly #converge: Converge;
  readonly #ends = new Map<string, PromiseWithResolvers<Outcome>>();
  #plan: RolloutPlan = {};
  #verdict: Promise<Error> | undefined;

  constructor(converge: Converge) {
    this.#converge = converge;
  }

  /** Says which rollouts there will be, before any of them is followed. */
  plan(plan: RolloutPlan): void {
    this.#plan = plan;
  }

  async follow(wanted: WantedService, voice: Voice): Promise<void> {
    const { name } = wanted;
    const end = this.#end(name);
    try {
      await this.#converge(wanted, voice.progress);
      end.resolve({ name, state: "live", released: this.#verdict === undefined });
    } catch (error) {
      await voice.failure(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      this.#verdict ??= this.#judge();
      end.resolve({ name, state: "failed", released: false });
    }
    if (this.#verdict) throw await this.#verdict;
  }

  async #judge(): Promise<Error> {
    const all = new Set([...this.#ends.keys(), ...Object.keys(this.#plan)]);
    const outcomes = await Promise.all([...all].map(async (name) => this.#outcome(name)));
    const list = (state: Outcome["state"], words: string): string[] => {
      const names = outcomes.filter((one) => one.state === state).map((one) => one.name);
      return names.length > 0 ? [`${words}: ${names.join(", ")}`] : [];
    };
    return refusal(
      [...list("failed", "not live as pinned"), ...list("live", "live"), ...list("held", "not started")].join("; "),
    );
  }

  async #outcome(name: string): Promise<Outcome> {
    const before = await Promise.all((this.#plan[name] ?? []).map(async (one) => this.#outcome(one)));
    if (before.some(({ released }) => !released)) return { name, state: "held", released: false };
    return this.#end(name).promise;
  }

  #end(name: string): PromiseWithResolvers<Outcome> {
    const known = this.#ends.get(name) ?? Promise.withResolvers<Outcome>();
    this.#ends.set(name, known);
    return known;
  }
}

/** Pulumi puts the name of whatever property waited for it in front of an error's message; this one keeps its own. */
function refusal(message: string): Error {
  return Object.defineProperty(new pulumi.RunError(message), "message", { get: () => message, set: () => undefined });
}
