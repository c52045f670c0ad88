/** Which operations an offering answers, learnt from its answers: no catalog entry promises more than the model. */
import { DomainError } from "../platform/errors";
import type { Operation } from "./operations/operation";

/** After this time an endpoint is asked again: its server may have been replaced. */
const REMEMBERED_MS = 60_000;

export class ServedOperations {
  private readonly answered = new Map<Operation, Set<string>>();
  /** By offering, until when it is not asked. */
  private readonly refused = new Map<Operation, Map<string, number>>();

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  hasAnswered(operation: Operation, offeringId: string): void {
    const offerings = this.answered.get(operation);
    if (offerings === undefined) this.answered.set(operation, new Set([offeringId]));
    else offerings.add(offeringId);
    this.refused.get(operation)?.delete(offeringId);
  }

  /**
   * Told of a 404 and its like. True: it is a server without this operation, or of another kind of model, which is no
   * failure; false: it has answered before, so something is wrong with it now.
   */
  hasRefused(operation: Operation, offeringId: string): boolean {
    if (this.answered.get(operation)?.has(offeringId)) return false;
    const offerings = this.refused.get(operation) ?? new Map<string, number>();
    this.refused.set(operation, offerings.set(offeringId, this.nowMs() + REMEMBERED_MS));
    return true;
  }

  /** Whether it is not worth asking. */
  refuses(operation: Operation, offeringId: string): boolean {
    const offerings = this.refused.get(operation);
    if (offerings === undefined || offerings.size === 0) return false;
    const untilMs = offerings.get(offeringId);
    if (untilMs === undefined) return false;
    if (this.nowMs() < untilMs) return true;
    offerings.delete(offeringId);
    return false;
  }
}

export function operationNotServed(operation: Operation, model: string): DomainError {
  return new DomainError(
    "OPERATION_NOT_SERVED",
    `No provider of \`${model}\` serves POST ${operation.path}: it may be another kind of model. GET /v1/models lists the others.`,
    { field: "model" },
  );
}
