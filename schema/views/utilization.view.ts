/** What an endpoint is doing right now. */
import { Exact, Instant, View, Whole } from "../fields";

@View("UtilizationSample", "One endpoint's live figures; the newest sample replaces the ones before it.")
export class UtilizationSampleView {
  @Instant("When it was sampled.") at!: Date;
  @Whole("GPUs listed in its place now.") listedGpus!: number;
  @Whole("Requests that it takes at once.") slots!: number;
  @Whole("Requests that it is serving.") inFlight!: number;
  @Exact("GPU time set apart for requests since the last sample, in GPU-seconds.") soldGpuSeconds!: string;
  @Exact("GPU time that delivered tokens account for since the last sample, in GPU-seconds.") activeGpuSeconds!: string;
  @Exact("Sold share of what was listed over the last minute, e.g. `0.8`.") fill!: string;
  @Exact("Active share of what was sold over the last minute, e.g. `0.65`.") utilization!: string;
  endpointId!: string;
  providerId!: string;
}
