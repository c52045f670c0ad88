/** `/v1/models`: what can be routed now, with what it costs at most, as strings. */
import { formatNano } from "../money/nano";
import { DomainError } from "../platform/errors";
import { pricePerMillionTokens } from "../pricing/token-price";
import type { Route, Routing } from "../routing/routing";

export function listModels(routing: Routing): string {
  const models = [...routing.routableModels()].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({ object: "list", data: models.map(([model, routes]) => modelObject(model, routes)) });
}

/** Errors: MODEL_NOT_FOUND. */
export function oneModel(routing: Routing, model: string): string {
  const routes = routing.routableModels().get(model);
  if (routes === undefined)
    throw new DomainError("MODEL_NOT_FOUND", `The model \`${model}\` does not exist or cannot be routed now.`, {
      field: "model",
    });
  return JSON.stringify(modelObject(model, routes));
}

function modelObject(model: string, routes: readonly Route[]): Record<string, unknown> {
  return {
    id: model,
    object: "model",
    created: Math.floor(Math.min(...routes.map((route) => route.offeredAt.getTime())) / 1000),
    owned_by: "exergy",
    architecture: routes[0]!.architecture,
    context_length: Math.max(...routes.map((route) => route.contextLength)),
    max_output_tokens: Math.max(...routes.map((route) => route.maxOutputTokens)),
    accelerators: [...new Set(routes.map((route) => route.accelerator))].sort(),
    regions: [...new Set(routes.map((route) => route.region))].sort(),
    pricing: dearest(routes),
  };
}

/** A ceiling: a request costs what the endpoint that served it costs, and never more than this. */
function dearest(routes: readonly Route[]): Record<string, string> {
  let prompt = 0n;
  let completion = 0n;
  for (const { quote } of routes) {
    if (quote === null) continue;
    const prices = pricePerMillionTokens(quote.throughput, quote.fixingNanoUsdPerGpuHour, quote.card);
    if (prices.promptNanoCredit > prompt) prompt = prices.promptNanoCredit;
    if (prices.completionNanoCredit > completion) completion = prices.completionNanoCredit;
  }
  return {
    unit: "per_million_tokens",
    currency: "CRD",
    prompt: formatNano(prompt),
    completion: formatNano(completion),
  };
}
