/** A fine-tuning job: steps over the examples of a file, a loss that falls, a checkpoint after each epoch. */
import { textTokens } from "../generation";
import { type TrainingFault, Work } from "./work";

export const STEPS_PER_EPOCH = 4;

export class FineTuning extends Work {
  private readonly events: {
    id: string;
    object: string;
    created_at: number;
    level: string;
    message: string;
    type: string;
    data: object;
  }[] = [];
  private readonly checkpoints: {
    id: string;
    step_number: number;
    fine_tuned_model_checkpoint: string;
    metrics: object;
  }[] = [];
  private claimed = 0;
  private silent = false;

  constructor(
    id: string,
    private readonly job: { model: string; training_file: string; epochs: number },
    /** Of one epoch. */
    private readonly tokens: number,
  ) {
    super(id, job.epochs * STEPS_PER_EPOCH);
  }

  /** The published rule, over each line as it is. */
  static tokensIn(content: Buffer): number {
    return content
      .toString()
      .split("\n")
      .reduce((sum, line) => sum + textTokens(line), 0);
  }

  /** What has been read by now, over all epochs. */
  get trainedTokens(): number {
    return Math.floor((this.tokens * this.done) / STEPS_PER_EPOCH);
  }

  get resultModel(): string {
    return `ft:${this.job.model}:${this.id}`;
  }

  protected doUnit(index: number, fault: TrainingFault): void {
    const step = index + 1;
    const metrics = { step, train_loss: 2 / (step + 1), total_steps: this.units };
    const message = `Step ${step}/${this.units} on our own machines at ${this.job.model}`;
    const created_at = Math.floor(Date.now() / 1000);
    this.events.push({
      id: `${this.id}-event-${step}`,
      object: "fine_tuning.job.event",
      created_at,
      level: "info",
      message,
      type: "metrics",
      data: metrics,
    });
    this.claimed = Math.floor((this.tokens * step) / STEPS_PER_EPOCH) * (fault.claims ?? 1);
    this.silent = fault.silent ?? false;
    if (step % STEPS_PER_EPOCH === 0)
      this.checkpoints.push({
        id: `${this.id}-checkpoint-${step}`,
        step_number: step,
        fine_tuned_model_checkpoint: `${this.resultModel}:step-${step}`,
        metrics,
      });
  }

  view() {
    const { id, job } = this;
    const status = {
      waiting: "queued",
      running: "running",
      done: "succeeded",
      failed: "failed",
      cancelled: "cancelled",
    }[this.state];
    return {
      id,
      object: "fine_tuning.job",
      status,
      model: job.model,
      training_file: job.training_file,
      created_at: this.createdAt,
      finished_at: this.endedAt,
      // As it goes on, so that each stage can be paid.
      ...(this.silent ? {} : { trained_tokens: this.claimed }),
      fine_tuned_model: this.state === "done" ? this.resultModel : null,
    };
  }

  /** Newest first. */
  latestEvents(limit: number) {
    return { object: "list", data: this.events.slice(-limit).reverse(), has_more: this.events.length > limit };
  }

  allCheckpoints() {
    return { object: "list", data: this.checkpoints, has_more: false };
  }
}
