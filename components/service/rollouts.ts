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

interface Outcome {
  readonly name: string;
  readonly live: boolean;
}

/**
 * The rollouts of one `pulumi up`.
 *
 * A failure ends the program, and with it whatever else it follows. So the first one waits for all that are under
 * way: every one of them is reported, and the end of the run says which is live and which is not. Nothing that
 * depends on a service starts once any rollout has failed.
 */
export class Rollouts {
  readonly #converge: Converge;
  readonly #followed = new Set<Promise<Outcome>>();
  #verdict: Promise<Error> | undefined;

  constructor(converge: Converge) {
    this.#converge = converge;
  }

  async follow(wanted: WantedService, voice: Voice): Promise<void> {
    const outcome = this.#converge(wanted, voice.progress).then(
      () => ({ name: wanted.name, live: true }),
      async (error: unknown) => {
        await voice.failure(`${wanted.name}: ${error instanceof Error ? error.message : String(error)}`);
        this.#verdict ??= this.#judge();
        return { name: wanted.name, live: false };
      },
    );
    this.#followed.add(outcome);
    await outcome;
    if (this.#verdict) throw await this.#verdict;
  }

  async #judge(): Promise<Error> {
    // In the next turn, when the failure that asks is an outcome itself.
    await Promise.resolve();
    const outcomes = await Promise.all(this.#followed);
    const names = (live: boolean) => outcomes.filter((one) => one.live === live).map((one) => one.name);
    const live = names(true);
    return refusal(
      `not live as pinned: ${names(false).join(", ")}${live.length > 0 ? `; live: ${live.join(", ")}` : ""}`,
    );
  }
}

/** Pulumi puts the name of whatever property waited for it in front of an error's message; this one keeps its own. */
function refusal(message: string): Error {
  return Object.defineProperty(new pulumi.RunError(message), "message", { get: () => message, set: () => undefined });
}
