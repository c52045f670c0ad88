/** What every span and every figure of a request carries, in the words of OpenTelemetry's conventions for generative AI. */
import type { Observation } from "./observation";

const operationNames: Readonly<Record<string, string>> = {
  chat_completions: "chat",
  completions: "text_completion",
  responses: "chat",
};

/** Ends that are no error of ours or of a provider's: as asked for, or the client left. */
const fine: ReadonlySet<string> = new Set(["completed", "aborted", "aborted_early"]);

export function operationOf({ operation }: Observation): string {
  return operationNames[operation] ?? operation;
}

/** The model's name is the catalog's. No prompt, no key, nobody's name is among them. */
export function genAiAttributes(seen: Observation): Record<string, string> {
  return {
    "gen_ai.operation.name": operationOf(seen),
    "gen_ai.provider.name": "exergy",
    ...(seen.model === null ? {} : { "gen_ai.request.model": seen.model }),
    ...(fine.has(seen.outcome) ? {} : { "error.type": seen.outcome }),
  };
}
