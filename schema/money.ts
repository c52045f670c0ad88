/** Money on the wire: an exact decimal beside its currency. */
import { CurrencyCode } from "./enums";
import { Exact, Of, View } from "./fields";

@View("Money", "An exact amount in one currency.")
export class Money {
  @Exact("The amount, up to nine decimals.") amount!: string;
  @Of(() => CurrencyCode, "What it is an amount of.") currency!: CurrencyCode;
}
