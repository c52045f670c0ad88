/** A utilization sample as a view. */
import type { UtilizationSampleView } from "../../../schema/views/utilization.view";
import type { UtilizationSample } from "../../events/topics";
import { gpuSeconds, ratio } from "./money";

export const utilizationView = (sample: UtilizationSample): UtilizationSampleView => ({
  endpointId: sample.endpointId,
  providerId: sample.providerId,
  at: new Date(sample.at),
  listedGpus: sample.listedGpus,
  slots: sample.slots,
  inFlight: sample.inFlight,
  soldGpuSeconds: gpuSeconds(BigInt(sample.soldGpuNanos)),
  activeGpuSeconds: gpuSeconds(BigInt(sample.activeGpuNanos)),
  fill: ratio(sample.fillPpm),
  utilization: ratio(sample.utilizationPpm),
});
