/** The turn of a request without a key: remembered for two minutes, in case its client library tries again. */
import type { ClientConnection } from "./client-connection";
import { asDomainError } from "./errors";
import type { Tries, Try } from "./tries";
import type { Turn, TurnEnd } from "./turn";

export class RetryTurn implements Turn {
  /** In memory, so that the warm path stays free of I/O. */
  readonly store = null;

  constructor(
    private readonly tries: Tries,
    private readonly its: Try,
    readonly client: ClientConnection,
  ) {
    its.client = client;
  }

  whole(): void {
    this.its.phase = "WHOLE";
  }

  free(): void {}

  fail(error: unknown): void {
    this.its.record.fail(asDomainError(error));
  }

  over(end: TurnEnd): void {
    this.tries.end(this.its, end === "SPENT" ? "FORGOTTEN" : end);
  }
}
