/** What the demo prints when it is done: the figures, whether they add up, and where to look next. */
import type { Check } from "./checks";
import { splitOf } from "./checks";
import { shown, sum } from "./exact";
import type { Figures, ProviderFigures, StartupFigures } from "./figures";
import type { Month, ProviderMonth } from "./month";
import type { ProviderParticipant, World } from "./onboarding";
import { type Column, tableOf } from "./table";

const left = <Row>(title: string, cell: (row: Row) => string): Column<Row> => ({ title, align: "left", cell });
const right = <Row>(title: string, cell: (row: Row) => string): Column<Row> => ({ title, align: "right", cell });
const count = (value: number): string => value.toLocaleString("en-US");

const startupColumns: Column<StartupFigures>[] = [
  left("startup", ({ name }) => name),
  right("requests", ({ usage }) => count(usage.length)),
  right("tokens", ({ usage }) => count(usage.reduce((total, { tokens }) => total + tokens, 0))),
  right("cost", ({ usage }) => shown(sum(usage.map(({ chargeNano }) => chargeNano)))),
  right("issued", ({ balance }) => shown(balance.issuedNano, 2)),
  right("available", ({ balance }) => shown(balance.availableNano, 2)),
  right("held", ({ balance }) => shown(balance.heldNano, 2)),
  right("spent", ({ balance }) => shown(balance.spentNano)),
];

type ProviderRow = readonly [ProviderFigures, ProviderParticipant];

const providerColumns: Column<ProviderRow>[] = [
  left("provider", ([{ name }]) => name),
  left("GPUs", ([, { script }]) => `${script.gpuCount} × ${script.accelerator}`),
  left("region", ([, { script }]) => script.region),
  right("requests", ([{ deliveries }]) => count(deliveries.length)),
  right("GPU-seconds", ([{ deliveries }]) => shown(sum(deliveries.map(({ gpuNanos }) => gpuNanos)))),
  right("accrued", ([{ accruedNanoUsd }]) => shown(accruedNanoUsd)),
  left("SLA tier", ([, { script }]) => script.slaTier),
  left("breaches now", ([{ openBreaches }]) => openBreaches.join(", ") || "none"),
];

export function figuresText(figures: Figures, world: World): string {
  const { facility } = figures;
  const split = splitOf(figures);
  const outcomes = new Map<string, number>();
  for (const { outcome } of figures.startups.flatMap(({ decisions }) => decisions))
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  const rows = figures.providers.map((provider, index) => [provider, world.providers[index]!] as const);
  return [
    "",
    "Startups (credits, CRD)",
    ...tableOf(startupColumns, figures.startups),
    "",
    "Providers (dollars, USD)",
    ...tableOf(providerColumns, rows),
    "",
    `Facility of ${world.capitalPartner.name}, 1 USD → ${shown(facility.multiplierNano, 2)} CRD`,
    `  funded ${shown(facility.fundedNanoUsd, 2)} USD, still backing ${shown(facility.backingNanoUsd, 2)}; released ${shown(split.releasedNanoUsd)}:`,
    `  ${shown(split.accruedNanoUsd)} accrued to providers, ${shown(split.spreadNanoUsd)} spread of the marketplace`,
    "",
    `Routing: ${[...outcomes].map(([outcome, times]) => `${times} ${outcome}`).join(", ")}`,
    "",
  ].join("\n");
}

const monthColumns: Column<ProviderMonth>[] = [
  left("provider", ({ name }) => name),
  right("accrued", ({ accrualLinesNanoUsd }) => shown(accrualLinesNanoUsd)),
  right("statement", ({ totalNanoUsd }) => shown(totalNanoUsd)),
  left("approved by", ({ approvedBy }) => approvedBy),
  left("due", ({ dueOn }) => dueOn),
  right("paid", ({ paidNanoUsd }) => shown(paidNanoUsd, 2)),
  right("carried over", ({ carriedNanoUsd }) => shown(carriedNanoUsd)),
  left("payout", ({ payout }) => payout ?? "none"),
];

export function monthText({ period, providers }: Month): string {
  return [`Statements and payouts of ${period} (dollars, USD)`, ...tableOf(monthColumns, providers), ""].join("\n");
}

export function checksText(checks: readonly Check[]): string {
  const width = Math.max(...checks.map(({ claim }) => claim.length));
  return [
    "Do the figures add up?",
    ...checks.map(({ ok, claim, detail }) => `${ok ? "✓" : "✗"} ${claim.padEnd(width)}  ${detail}`),
    "",
  ].join("\n");
}

/** Said once, so that nobody takes the stage for the world. */
export const SIMULATED = [
  "Simulated: GPUs (three local HTTPS servers that generate text), organisations, spot prices, dollars, the bank, and the month that passed.",
  "Real: database, ledger, relay, mutual TLS, tokens, routing, failover, GraphQL, the openai client.",
].join("\n");
