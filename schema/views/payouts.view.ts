/** What providers have earned and when it falls due. */
import { Exact, Instant, Month, Of, View, Whole } from "../fields";
import { Money } from "../money";
import { Node } from "../node";
import { connectionOf } from "../page";

@View("Accrual", "What a provider has earned in one billing month.", { implements: [Node] })
export class AccrualView extends Node {
  @Month("Billing month.") period!: string;
  @Of(() => Money, "Earned so far.") accrued!: Money;
  @Whole("Requests that it was earned with.") requests!: number;
  @Exact("GPU time that it was earned with, in GPU-seconds.") gpuSeconds!: string;
  @Instant("When it falls due: 30 days after the month's end.") dueAt!: Date;
  providerId!: string;
}

export const AccrualConnection = connectionOf<AccrualView>("Accrual", () => AccrualView);
