/** What a line of a batch may call: the relay's own operations, as much of them as a job needs. They are handed in, because the relay ranks above. */

/** A line's request as its operation reads it: with the bounds of a request of its own. */
export interface LineRequest {
  readonly model?: string;
  readonly stream: boolean;
  /** Per choice; left out: the line names none. */
  readonly maxTokens?: number;
  readonly choices: number;
  readonly hidesOutput: boolean;
  readonly promptBytes: number;
}

export interface BatchOperation {
  readonly path: string;
  readonly limitField: string;
  readonly maxTokensDefault?: number;
  /** Errors: BAD_USER_INPUT with the field at fault. */
  scan(body: Buffer): LineRequest;
  rewrite(body: Buffer, request: LineRequest, edits: { model: string; maxTokens: number }): Buffer;
  /** Null: the body is no answer of this operation. */
  readWhole(body: Buffer): { readonly usage: unknown; readonly deliveredBytes: number } | null;
}

/** By what a line calls them: `url`. */
export type BatchOperations = ReadonlyMap<string, BatchOperation>;

export const byUrl = (operations: readonly BatchOperation[]): BatchOperations =>
  new Map(operations.map((operation) => [operation.path, operation]));
