/** What a request delivered, as it is settled: who, where, how much of it the provider may claim. */
import type { Delivery } from "../metering/metering";
import { boundUsage } from "../metering/usage-bounds";
import type { Route } from "../routing/routing";
import type { Admission } from "./admission";
import type { Delivered } from "./answers";
import type { InferenceRequest } from "./operations/operation";

type Ending = Pick<Delivery, "outcome" | "attempts" | "ttftMs" | "durationMs" | "requestHash" | "upstreamHash">;

/** Null when not a token came: an empty answer is worth nothing to the client, whoever is at fault, and is not charged. */
export function deliveryOf(
  admission: Admission,
  request: InferenceRequest,
  route: Route,
  delivered: Delivered,
  ending: Ending,
): Delivery | null {
  if (delivered.deliveredBytes === 0) return null;
  return {
    requestId: admission.requestId,
    startupId: admission.startupId,
    apiKeyId: admission.apiKeyId,
    providerId: route.providerId,
    endpointId: route.endpointId,
    offeringId: route.offeringId,
    model: admission.model,
    workload: admission.workload,
    accelerator: route.accelerator,
    region: route.region,
    // Routes without a price are refused before they are chosen.
    quote: route.quote!,
    heldNanoCredit: admission.heldNanoCredit,
    leaseId: admission.leaseId,
    usage: boundUsage(delivered.usage, {
      promptBytes: request.promptBytes,
      maxCompletionTokens: admission.maxTokens * request.choices,
      deliveredBytes: delivered.deliveredBytes,
      contentChunks: delivered.contentChunks,
      choices: request.choices,
      hidesOutput: request.hidesOutput,
    }),
    streamed: request.stream,
    ...ending,
  };
}
