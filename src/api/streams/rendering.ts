/** Messages of a stream → payloads: executed with fresh loaders, on behalf of the viewers who share them, written out once. */
import { setMaxListeners } from "node:events";
import { GraphQLError } from "graphql";
import type { Viewer } from "../../accounts/viewer";
import { isConnectionLoss } from "../../platform/database";
import { newId } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Services } from "../../services";
import type { Context } from "../context";
import { presentErrors } from "../errors";
import { createLoaders } from "../loaders";
import { onBehalfOf } from "../on-behalf-of";
import type { Prepared } from "../operations";
import { Payload } from "./outlet";
import type { StreamFigures } from "./stream-figures";

export interface RenderingDependencies {
  readonly services: Services;
  readonly log: Log;
  readonly figures: StreamFigures;
}

/** No single reader's leaving ends what is made for all. */
export const never = new AbortController().signal;
setMaxListeners(0, never);

export interface Rendering {
  /**
   * Messages that became known together are executed together: what one reads, its neighbours find read. Errors: only
   * a lost database's; others are in the payload.
   */
  payloadsOf(messages: readonly unknown[]): Promise<Payload[]>;
  /** Reads for the stream as its viewers may. */
  read<T>(work: () => Promise<T>): Promise<T>;
}

export function createRendering(
  prepared: Prepared,
  viewer: Viewer | null,
  { services, log, figures }: RenderingDependencies,
): Rendering {
  return {
    payloadsOf(messages) {
      const requestId = newId();
      const context: Context = {
        viewer,
        loaders: createLoaders(services),
        services,
        requestId,
        signal: never,
      };
      figures.executed(messages.length);
      return onBehalfOf(viewer, requestId, "primary", () =>
        Promise.all(
          messages.map(async (message) => {
            const { data, errors } = await prepared.execute(message, context);
            const lost = errors?.map(causeOf).find(isConnectionLoss);
            // To be tried again: what is told as an error is told to everybody, for good.
            if (lost) throw lost;
            if (!errors) return new Payload(prepared.stringify({ data: data ?? null }));
            return new Payload(JSON.stringify({ data: data ?? null, errors: presented(errors, requestId, log) }));
          }),
        ),
      );
    },
    read: (work) => onBehalfOf(viewer, newId(), "primary", work),
  };
}

function causeOf(error: GraphQLError): unknown {
  let cause: unknown = error;
  while (cause instanceof GraphQLError && cause.originalError) cause = cause.originalError;
  return cause;
}

/** As clients may see them; what is masked goes to the log. */
export function presented(errors: readonly unknown[], requestId: string, log: Pick<Log, "error">) {
  return presentErrors(errors, requestId, (err) => log.error({ err, requestId }, "GraphQL subscription failed"));
}
