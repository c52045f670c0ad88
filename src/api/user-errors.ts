/** Turns the failures that a mutation's payload knows into its `userErrors`; all others stay errors of the request. */
import type { Payload, UserError } from "../../schema/user-error";
import { DomainError } from "../platform/errors";

interface CodedUserError extends UserError {
  code: string;
}

/** Inside, a name ends with its unit; outside, the type says it: `limitNanoUsd` → `limit`. */
const UNIT = /(NanoUsd|NanoCredit|Ppm)$/;

export async function answer<Results extends object>(
  payload: Payload<Results>,
  work: () => Promise<Results>,
): Promise<Results & { userErrors: CodedUserError[] }> {
  try {
    return { ...(await work()), userErrors: [] };
  } catch (error) {
    if (!(error instanceof DomainError) || !payload.codes.has(error.code)) throw error;
    const field = error.field === undefined ? null : ["input", ...error.field.map((name) => name.replace(UNIT, ""))];
    return { userErrors: [{ field, message: error.message, code: error.code }] } as unknown as Results & {
      userErrors: CodedUserError[];
    };
  }
}
