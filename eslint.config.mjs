/** Design rules for the printed contract and for the operations; TypeScript is Biome's. A rule that is off says why. */
import graphql from "@graphql-eslint/eslint-plugin";

const recommended = graphql.configs["flat/schema-recommended"].rules;
const relay = graphql.configs["flat/schema-relay"].rules;
const operations = graphql.configs["flat/operations-recommended"].rules;

const rule = (name) => `@graphql-eslint/${name}`;

/** The date of removal stands in the reason: `@deprecated` has no argument for it that clients' tools would show. */
const dated = {
  create: (context) => ({
    "Directive[name.value=deprecated]"(node) {
      const reason = node.arguments.find(({ name }) => name.value === "reason")?.value.value ?? "";
      if (/Remove after \d{4}-\d{2}-\d{2}/.test(reason)) return;
      context.report({ node, message: 'Say what to use instead and when it goes: "… Remove after 2027-06-01".' });
    },
  }),
};

export default [
  {
    files: ["schema/schema.graphql", "codegen/operations/*.graphql"],
    plugins: { "@graphql-eslint": graphql, contract: { rules: { "dated-deprecation": dated } } },
    languageOptions: {
      parser: graphql.parser,
      parserOptions: {
        graphQLConfig: { schema: "schema/schema.graphql", documents: "codegen/operations/*.graphql" },
      },
    },
  },
  {
    files: ["schema/schema.graphql"],
    rules: {
      ...recommended,
      ...relay,
      [rule("input-name")]: "error",
      [rule("no-scalar-result-type-on-mutation")]: "error",
      "contract/dated-deprecation": "error",
      [rule("require-description")]: [
        "error",
        {
          types: true,
          rootField: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
        },
      ],
      // Short lists that are bounded by what they describe (tiers, lines, scopes) are no connections.
      // What is listed is an object with an id, by strict-id-in-types below, but for the entries of an account, which are parts of it.
      [rule("relay-edge-types")]: ["error", { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
      [rule("require-field-of-type-query-in-mutation-result")]: "error",
      [rule("require-nullable-fields-with-oneof")]: "error",
      [rule("strict-id-in-types")]: [
        "error",
        {
          exceptions: {
            suffixes: ["Connection", "Edge", "Payload", "UserError"],
            types: [
              // Known by their code, their place or their version, the same for everybody.
              "Accelerator",
              "AccountingPeriod",
              "PricingTier",
              "RedemptionPrice",
              "SlaTier",
              // Values: parts of an object, figures of a moment, messages.
              "ApiKeyLimits",
              "AuditActor",
              "AuditChange",
              "BlockEvent",
              "BlockFigures",
              "BudgetAlertEvent",
              "BudgetStanding",
              "CapacityWindowEvent",
              "CapitalExport",
              "CapitalPosition",
              "Coverage",
              "CoverageAlertEvent",
              "CreditBalance",
              "CreditUse",
              "ExplainedCandidate",
              "FacilityBalance",
              "FacilityOutlook",
              "FlaggedUsageCount",
              "LedgerBalance",
              "LedgerCounters",
              "LedgerEntry",
              "LedgerFault",
              "LedgerVerification",
              "Money",
              "PageInfo",
              "PayoutAccountEvent",
              "PayoutAttempt",
              "PayoutEvent",
              "PayoutExport",
              "PayoutRun",
              "Process",
              "RateLimit",
              "Receipt",
              "RevenueEstimate",
              "RevenueLine",
              "RouteExplanation",
              "RoutingAttempt",
              "RoutingCandidate",
              "RoutingLoss",
              "RoutingRefusalCount",
              "ServicingFee",
              "SlaBreachEvent",
              "SlaEvidence",
              "StatementEvent",
              "StatementReplay",
              "StatementReplayKind",
              "StatementReplayLine",
              "TotalCount",
              "StatementSlaEvidence",
              "StreamCheckpoint",
              "StreamGap",
              "TestClock",
              "UtilizationSample",
              "Viewer",
              "WorkloadJobEvent",
            ],
          },
        },
      ],
    },
  },
  { files: ["codegen/operations/*.graphql"], rules: operations },
];
