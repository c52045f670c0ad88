/** The six `x-ratelimit-*` headers as OpenAI writes them, durations included. */
export interface Figures {
  readonly limit: number;
  readonly remaining: number;
  /** Until all of it is there again. */
  readonly resetMs: number;
}

export type RateHeaders = ReturnType<typeof rateHeaders>;

export function rateHeaders(requests: Figures, tokens: Figures) {
  return {
    "x-ratelimit-limit-requests": requests.limit,
    "x-ratelimit-limit-tokens": tokens.limit,
    "x-ratelimit-remaining-requests": requests.remaining,
    "x-ratelimit-remaining-tokens": tokens.remaining,
    "x-ratelimit-reset-requests": durationText(requests.resetMs),
    "x-ratelimit-reset-tokens": durationText(tokens.resetMs),
  };
}

/** `0s`, `6ms`, `8.64s`, `1m0s`, `1h0m0.5s`. */
export function durationText(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole <= 0) return "0s";
  if (whole < 1_000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor((whole % 3_600_000) / 60_000);
  const seconds = `${(whole % 60_000) / 1_000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
