/** graphql-js's subscribe, with fresh loaders for every event: what was read for one event must not answer the next. */
import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, execute } from "graphql";
import type { Context } from "./context";
import { createLoaders } from "./loaders";

type Results = AsyncGenerator<ExecutionResult, void, void>;

export async function subscribeFresh(
  args: ExecutionArgs & { contextValue: Context },
): Promise<Results | ExecutionResult> {
  const source = await createSourceEventStream(args);
  if (!(Symbol.asyncIterator in source)) return source;
  const events = source[Symbol.asyncIterator]();
  const { services, viewer } = args.contextValue;
  const answer = (event: unknown) =>
    execute({
      ...args,
      rootValue: event,
      contextValue: { ...args.contextValue, loaders: createLoaders(services, viewer) },
    });
  const end = async () => {
    await events.return?.();
    return { done: true, value: undefined } as const;
  };
  // Not a generator: its return() would wait for the event that a departed client will never get.
  const results = {
    next: async () => {
      const event = await events.next();
      return event.done
        ? ({ done: true, value: undefined } as const)
        : { done: false, value: await answer(event.value) };
    },
    return: end,
    throw: async (error: unknown) => {
      await end();
      throw error;
    },
    [Symbol.asyncIterator]: () => results,
  };
  return results as unknown as Results;
}
