/** Where a provider takes workloads: URL, place, hardware, promised service level. */
import { Check, Entity, Index } from "typeorm";
import type { EndpointKind, EndpointState, EndpointTenancy, SlaTierCode } from "../schema/enums";
import { At, CodeRef, Id, Int, Ref, Text } from "./columns";

@Entity("endpoint")
@Check("endpoint_kind_check", "kind IN ('INFERENCE','TRAINING')")
@Check("endpoint_tenancy_check", "tenancy IN ('DEDICATED','SHARED')")
@Check("endpoint_state_check", "state IN ('REGISTERED','LIVE','DRAINING','SUSPENDED','RETIRED')")
@Check("endpoint_gpu_count_check", "gpu_count > 0")
@Check("endpoint_slots_check", "slots > 0")
@Index("endpoint_base_url_key", ["baseUrl"], { unique: true })
@Index("endpoint_provider", ["providerId"])
export class Endpoint {
  @Id() id!: string;
  @Ref("Organisation") providerId!: string;
  @Text() name!: string;
  @Text() kind!: EndpointKind;
  @Text() tenancy!: EndpointTenancy;
  /** https, without the `/v1` suffix's trailing slash. */
  @Text() baseUrl!: string;
  /** The CA that the endpoint's server certificate must chain to: pinned per provider, never the system's roots. */
  @Text() caPem!: string;
  @CodeRef("Accelerator") accelerator!: string;
  @Text() region!: string;
  @Text() zone!: string;
  @Int() gpuCount!: number;
  /** Requests that it takes at once. */
  @Int() slots!: number;
  @CodeRef("SlaTier") slaTier!: SlaTierCode;
  @Text() state!: EndpointState;
  @At() createdAt!: Date;
  @Int() version!: number;
}
