/** What is offered and where: accelerators, endpoints, models at endpoints. */
import { AcceleratorStatus, EndpointKind, EndpointState, EndpointTenancy, OfferingState } from "../enums";
import { Instant, Link, Of, Text, View, Whole } from "../fields";
import { Node } from "../node";
import { connectionOf } from "../page";

@View("Accelerator", "A GPU model.")
export class AcceleratorView {
  @Text("Its code in this API, e.g. `H100`.") code!: string;
  @Text("Its full name.") name!: string;
  @Text("How it is mounted, e.g. `SXM5`.") formFactor!: string;
  @Whole("Memory of one GPU in gigabytes.") memoryGb!: number;
  @Of(() => AcceleratorStatus, "Whether capacity of it can be listed.") status!: AcceleratorStatus;
}

@View("Endpoint", "Where a provider takes workloads.", { implements: [Node] })
export class EndpointView extends Node {
  @Text("The provider's name for it.") name!: string;
  @Of(() => EndpointKind, "The kind of workload it takes.") kind!: EndpointKind;
  @Of(() => EndpointTenancy, "Whether its GPUs are shared between clients.") tenancy!: EndpointTenancy;
  @Link("Base URL of its OpenAI-compatible API.") baseUrl!: string;
  @Text("The `aud` of relay tokens that are made out for it: its server accepts no other.") relayAudience!: string;
  @Text("Region, e.g. `eu-north`.") region!: string;
  @Text("Zone within the region.") zone!: string;
  @Whole("GPUs behind it.") gpuCount!: number;
  @Whole("Requests that it takes at once.") slots!: number;
  @Of(() => EndpointState, "Where it stands between registration and retirement.") state!: EndpointState;
  @Instant("When it was registered.") createdAt!: Date;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  endpointId!: string;
  providerId!: string;
  acceleratorCode!: string;
  slaTierCode!: string;
}

@View("Offering", "A model at an endpoint: the catalog's unit.", { implements: [Node] })
export class OfferingView extends Node {
  @Text("The marketplace's name of the model, the same at every provider.") model!: string;
  @Text("What the provider calls the model.") upstreamModel!: string;
  @Text("Architecture of the model, e.g. `decoder-only`.") architecture!: string;
  @Whole("Tokens that prompt and output may have together.") contextLength!: number;
  @Whole("Tokens that one output may have.") maxOutputTokens!: number;
  @Whole("Prompt tokens processed per GPU-second.") prefillTokensPerGpuSecond!: number;
  @Whole("Output tokens generated per GPU-second.") decodeTokensPerGpuSecond!: number;
  @Of(() => OfferingState, "Where it stands between staging and withdrawal.") state!: OfferingState;
  @Instant("When it was published.") createdAt!: Date;
  @Whole("Counts its changes; pass it as expectedVersion to change only what you have read.") version!: number;
  endpointId!: string;
}

export const EndpointConnection = connectionOf<EndpointView>("Endpoint", () => EndpointView);
export const OfferingConnection = connectionOf<OfferingView>("Offering", () => OfferingView);
