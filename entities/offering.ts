/** A model at an endpoint: the catalog's unit. */
import { Check, Entity, Index } from "typeorm";
import type { OfferingState } from "../schema/enums";
import { At, Id, Int, Ref, Text } from "./columns";

@Entity("offering")
@Check("offering_state_check", "state IN ('STAGED','LIVE','WITHDRAWN')")
@Check(
  "offering_throughput_check",
  "prefill_tokens_per_gpu_second > 0 AND decode_tokens_per_gpu_second > 0 AND context_length > 0 AND max_output_tokens > 0",
)
@Index("offering_endpoint_model_key", ["endpointId", "model"], { unique: true })
@Index("offering_model", ["model"])
export class Offering {
  @Id() id!: string;
  @Ref("Endpoint") endpointId!: string;
  /** The marketplace's name of the model, the same at every provider. */
  @Text() model!: string;
  /** What this provider calls it. */
  @Text() upstreamModel!: string;
  @Text() architecture!: string;
  @Int() contextLength!: number;
  @Int() maxOutputTokens!: number;
  @Int() prefillTokensPerGpuSecond!: number;
  @Int() decodeTokensPerGpuSecond!: number;
  @Text() state!: OfferingState;
  @At() createdAt!: Date;
  @Int() version!: number;
}
