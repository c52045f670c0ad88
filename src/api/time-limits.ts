/** How long an operation may run. What has not ended by then is answered with TIMEOUT, and told to stop. */
import { type ExecutionResult, GraphQLError, type OperationTypeNode } from "graphql";
import { DomainError } from "../platform/errors";
import type { Context } from "./context";

type Kind = `${OperationTypeNode}`;

/** graphql/golden-path's; a subscription's is that of one event. */
const TIME_MAX_MS: Readonly<Record<Kind, number>> = {
  query: 15_000,
  mutation: 60_000,
  subscription: 15_000,
};

const words: Readonly<Record<Kind, string>> = {
  query: "The query takes too long. Ask for less at once.",
  mutation:
    "The mutation takes too long; whether it happens is unknown. Read what it would change before you repeat it.",
  subscription: "The event takes too long to be answered. Ask for less at once.",
};

export async function inTime(
  kind: Kind,
  context: Context,
  run: (timed: Context) => ExecutionResult | Promise<ExecutionResult>,
  timeMaxMs = TIME_MAX_MS[kind],
): Promise<ExecutionResult> {
  const stop = new AbortController();
  const gone = () => stop.abort();
  if (context.signal.aborted) gone();
  else context.signal.addEventListener("abort", gone, { once: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    const result = run({ ...context, signal: stop.signal });
    if (!(result instanceof Promise)) return result;
    const late = new Promise<ExecutionResult>((resolve) => {
      timer = setTimeout(() => {
        stop.abort();
        const originalError = new DomainError("TIMEOUT", words[kind]);
        resolve({ data: null, errors: [new GraphQLError(originalError.message, { originalError })] });
      }, timeMaxMs);
    });
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
    context.signal.removeEventListener("abort", gone);
  }
}
