/** What of the allowance is left. */
import { Instant, View, Whole } from "../fields";

@View(
  "RateLimit",
  "The allowance of whoever asks: of the key, session or person, or of the address without credentials.",
)
export class RateLimitView {
  @Whole("Points that this operation was charged; what its lists did not need is given back after it.") cost!: number;
  @Whole("Points that a minute has.") limit!: number;
  @Whole("Points that are left of this minute, this operation paid.") remaining!: number;
  @Instant("When all points will be there again.") resetAt!: Date;
}
