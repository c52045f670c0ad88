/** What can be asked of the catalog. */
import { EndpointKind, EndpointState, EndpointTenancy, OfferingState, SlaTierCode } from "../enums";
import { GlobalId, Input, Link, Of, Text, Whole } from "../fields";

@Input("EndpointRegisterInput", "A new endpoint.")
export class EndpointRegisterInput {
  @GlobalId("The provider; your own organisation when left out.", { nullable: true }) providerId?: string | null;
  @Text("Your name for it.") name!: string;
  @Of(() => EndpointKind, "The kind of workload it takes.") kind!: EndpointKind;
  @Of(() => EndpointTenancy, "Whether its GPUs are shared between clients.") tenancy!: EndpointTenancy;
  @Link("Base URL of its OpenAI-compatible API: https, a public address, unique.") baseUrl!: string;
  @Text("PEM of the CA that its server certificate chains to.") caPem!: string;
  @Text("Code of its accelerator, e.g. `H100`.") accelerator!: string;
  @Text("Region, e.g. `eu-north`.") region!: string;
  @Text("Zone within the region.") zone!: string;
  @Whole("GPUs behind it.") gpuCount!: number;
  @Whole("Requests that it takes at once.") slots!: number;
  @Of(() => SlaTierCode, "The service level you commit it to.") slaTier!: SlaTierCode;
}

@Input("EndpointMoveInput", "The state that an endpoint shall take.")
export class EndpointMoveInput {
  @GlobalId("The endpoint.") id!: string;
  @Of(() => EndpointState, "The new state.") to!: EndpointState;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("OfferingPublishInput", "A model that an endpoint shall offer.")
export class OfferingPublishInput {
  @GlobalId("The endpoint.") endpointId!: string;
  @Text("The marketplace's name of the model: lower case, e.g. `llama-3.1-8b-instruct`.") model!: string;
  @Text("What you call the model.") upstreamModel!: string;
  @Text("Architecture of the model, e.g. `decoder-only`.") architecture!: string;
  @Whole("Tokens that prompt and output may have together.") contextLength!: number;
  @Whole("Tokens that one output may have.") maxOutputTokens!: number;
  @Whole("Prompt tokens processed per GPU-second.") prefillTokensPerGpuSecond!: number;
  @Whole("Output tokens generated per GPU-second.") decodeTokensPerGpuSecond!: number;
}

@Input("OfferingMoveInput", "The state that an offering shall take.")
export class OfferingMoveInput {
  @GlobalId("The offering.") id!: string;
  @Of(() => OfferingState, "The new state.") to!: OfferingState;
  @Whole("Only if its version is still this one.", { nullable: true }) expectedVersion?: number | null;
}

@Input("EndpointFilter", "Which endpoints.")
export class EndpointFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @Text("With this accelerator.", { nullable: true }) accelerator?: string | null;
  @Text("In this region.", { nullable: true }) region?: string | null;
  @Of(() => EndpointState, "In this state.", { nullable: true }) state?: EndpointState | null;
}

@Input("OfferingFilter", "Which offerings.")
export class OfferingFilter {
  @GlobalId("Of this provider.", { nullable: true }) providerId?: string | null;
  @GlobalId("At this endpoint.", { nullable: true }) endpointId?: string | null;
  @Text("Of this model.", { nullable: true }) model?: string | null;
  @Of(() => OfferingState, "In this state.", { nullable: true }) state?: OfferingState | null;
}
