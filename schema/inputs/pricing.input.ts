/** What can be asked of pricing. */
import { Exact, Input, Instant, ListOf, Text, Whole } from "../fields";

@Input("SpotPriceInput", "A spot price that was seen.")
export class SpotPriceInput {
  @Text("Code of the accelerator, e.g. `H100`.") accelerator!: string;
  @Text("Region, e.g. `eu-north`.") region!: string;
  @Text("Where it was seen.") source!: string;
  @Exact("Dollars per GPU-hour, above zero.") price!: string;
  @Exact("How far the source is to be trusted, from `0` to `1`.") confidence!: string;
  @Instant("When it was seen.") observedAt!: Date;
}

@Input("SpotPricesRecordInput", "Spot prices to record.")
export class SpotPricesRecordInput {
  @ListOf(() => SpotPriceInput, "The prices, at least one.") observations!: SpotPriceInput[];
}

@Input("FixingFilter", "Which fixings.")
export class FixingFilter {
  @Text("Of this accelerator.", { nullable: true }) accelerator?: string | null;
  @Text("In this region.", { nullable: true }) region?: string | null;
  @Instant("Of this hour or a later one.", { nullable: true }) from?: Date | null;
  @Instant("Of an hour before this instant.", { nullable: true }) to?: Date | null;
}

@Input("RevenueEstimateInput", "A month of GPU time.")
export class RevenueEstimateInput {
  @Text("Code of the accelerator, e.g. `H100`.") accelerator!: string;
  @Text("Region, e.g. `eu-north`; the mean of all regions when left out.", { nullable: true }) region?: string | null;
  @Whole("GPU-hours sold in the month.") monthlyGpuHours!: number;
}
