/** The root fields that answer a startup; one test walks what is behind them, another holds that the other queries refuse. */

export const startupFields = {
  query: [
    "viewer",
    "organisations",
    "members",
    "apiKeys",
    "accelerators",
    "pricingTiers",
    "rateCard",
    "fixings",
    "revenueEstimate",
    "creditLots",
    "creditBalance",
    "usage",
    "routingDecisions",
    "slaTiers",
    "node",
    "nodes",
  ],
  mutation: ["memberAdd", "apiKeyCreate", "apiKeyRevoke"],
  subscription: ["creditBalance"],
};
