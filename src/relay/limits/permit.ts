/** What one admitted request has taken of its key's and its organisation's limits, given back exactly once. */
import type { Allowance } from "./allowance";

export class Permit {
  private isOver = false;

  constructor(
    readonly allowance: Allowance,
    private readonly tokens: number,
  ) {}

  /** It was answered, with so many tokens of prompt and output. */
  settle(tokensUsed: number): void {
    this.end({ requests: 0, tokens: this.tokens - tokensUsed });
  }

  /** It came to nothing, and not by the client's doing: as if it had not been. */
  giveBack(): void {
    this.end({ requests: 1, tokens: this.tokens });
  }

  /** The client left before any content: a request it was. */
  abandon(): void {
    this.end({ requests: 0, tokens: this.tokens });
  }

  private end(back: { requests: number; tokens: number }): void {
    if (this.isOver) return;
    this.isOver = true;
    this.allowance.giveBack(back);
  }
}
