/** A market without wires: a facility or two, providers, startups with credit, a quote; and what one request of it is charged. */
import { randomBytes } from "node:crypto";
import type { Viewer } from "../src/accounts/viewer";
import { MemoryBus } from "../src/events/event-bus";
import { type Delivery, Metering, newRequestId } from "../src/metering/metering";
import { type Purpose, purposeOf } from "../src/metering/purpose";
import { systemClock } from "../src/platform/clock";
import { readConfig } from "../src/platform/config";
import { type Database, migrate, openDatabase } from "../src/platform/database";
import { newId } from "../src/platform/ids";
import { createLog } from "../src/platform/log";
import { priceNanoCredit, type Quote } from "../src/pricing/quote";
import { operations } from "../src/relay/operations/operations";
import { createServices, type Services } from "../src/services";
import { openRelayIdentity } from "../src/upstreams/identity";
import { viewerOf } from "./market";

const PUBLIC_URL = "http://localhost:4000";
const USD = 1_000_000_000n;
const FACILITIES = 2;
const PROVIDERS = 8;
/** Of a short chat. */
const usage = { promptTokens: 200, completionTokens: 60 };
const MAX_TOKENS = 256;
const PLACE = { accelerator: "H100", region: "eu-central" };

export interface LedgerWorld {
  readonly db: Database;
  readonly services: Services;
  readonly bus: MemoryBus;
  readonly operator: Viewer;
  readonly startupIds: readonly string[];
  readonly providerIds: readonly string[];
  readonly quote: Quote;
  readonly purpose: Purpose;
  /** What is set aside for one request. */
  readonly heldNanoCredit: bigint;
  close(): Promise<void>;
}

/** On an empty database. */
export async function openLedgerWorld(url: string, startups: number): Promise<LedgerWorld> {
  const db = await openDatabase({ url });
  await migrate(db);
  const bus = new MemoryBus((error) => console.error(error));
  const services = await openServices(db, bus);
  const { accounts, funding, pricing } = services;
  const operator = await viewerOf(services, (await accounts.bootstrapOperator("Bench operator")).secret);
  const organisation = async (kind: "STARTUP" | "PROVIDER" | "CAPITAL_PARTNER", n: number) =>
    (await accounts.createOrganisation(operator, { kind, name: `Bench ${kind} ${n}` })).id;
  const many = (count: number, kind: "STARTUP" | "PROVIDER") =>
    Promise.all(Array.from({ length: count }, (_, n) => organisation(kind, n)));
  const capitalPartnerId = await organisation("CAPITAL_PARTNER", 0);
  const facilities = await Promise.all(
    Array.from({ length: FACILITIES }, (_, n) =>
      funding.openFacility(operator, {
        capitalPartnerId,
        name: `bench ${n}`,
        limitNanoUsd: 1_000_000_000n * USD,
        multiplierPpm: 1_250_000n,
      }),
    ),
  );
  const [startupIds, providerIds] = await Promise.all([many(startups, "STARTUP"), many(PROVIDERS, "PROVIDER")]);
  for (const [n, startupId] of startupIds.entries()) {
    const facilityId = facilities[n % FACILITIES]!.id;
    await funding.draw(operator, { facilityId, startupId, amountNanoUsd: 1_000_000n * USD }, newId());
  }
  const observation = { ...PLACE, source: "bench", priceNanoUsd: (25n * USD) / 10n, confidencePpm: 1_000_000n };
  const [fixing] = await pricing.recordSpotPrices(operator, [{ ...observation, observedAt: systemClock.now() }]);
  const quote: Quote = {
    fixingId: fixing!.id,
    fixingNanoUsdPerGpuHour: fixing!.priceNanoUsd,
    throughput: { prefillTokensPerGpuSecond: 20_000, decodeTokensPerGpuSecond: 2_500 },
    card: await pricing.rateCard(),
  };
  return {
    db,
    services,
    bus,
    operator,
    startupIds,
    providerIds,
    quote,
    purpose: purposeOf("INFERENCE", [PLACE.accelerator]),
    heldNanoCredit: priceNanoCredit(quote, { ...usage, completionTokens: MAX_TOKENS }),
    async close() {
      await services.metering.drain();
      await services.upstreams.close();
      await db.close();
    },
  };
}

async function openServices(db: Database, bus: MemoryBus): Promise<Services> {
  const secrets = { readOrCreate: async (_: string, make: () => Promise<string> | string) => make() };
  return createServices(
    {
      config: readConfig({ LOG_LEVEL: "warn" }),
      db,
      clock: systemClock,
      log: createLog({ level: "warn", write: (line) => process.stderr.write(line) }),
      identity: await openRelayIdentity(secrets, Date.now()),
      pepper: randomBytes(32),
      sealingKey: randomBytes(32),
      answerKey: randomBytes(32),
      publicUrl: PUBLIC_URL,
      egress: { allowLoopback: false, ownHosts: [] },
      operations,
    },
    bus,
  );
}

/** A relay process more, as far as its credit is concerned: connections and leases of its own, the same bus. */
export async function anotherRelay(
  { bus }: LedgerWorld,
  url: string,
): Promise<{ metering: Metering; close(): Promise<void> }> {
  const db = await openDatabase({ url, poolMax: 2 });
  const metering = new Metering({ db, bus, clock: systemClock });
  return {
    metering,
    async close() {
      await metering.drain();
      await db.close();
    },
  };
}

/** What a relay asks for before it dispatches. */
export function request(
  { quote, heldNanoCredit }: LedgerWorld,
  startupId: string,
  purpose: Purpose | null,
  apiKeyId: string | null = null,
) {
  return {
    requestId: newRequestId(),
    startupId,
    amountNanoCredit: heldNanoCredit,
    rateCardId: quote.card.id,
    ttlMs: 630_000,
    apiKeyId,
    purpose,
  };
}

/** What a relay settles when the last byte is there. */
export function delivery(
  { quote, heldNanoCredit, providerIds }: LedgerWorld,
  of: { requestId: string; startupId: string; leaseId: string | null; nr: number },
): Delivery {
  const { nr, ...request } = of;
  return {
    ...request,
    ...objects,
    ...PLACE,
    providerId: providerIds[nr % providerIds.length]!,
    model: "bench-8b",
    workload: "INFERENCE",
    quote,
    heldNanoCredit,
    usage: {
      ...usage,
      clamped: false,
      source: "REPORTED",
      claimedPromptTokens: usage.promptTokens,
      claimedCompletionTokens: usage.completionTokens,
    },
    outcome: "COMPLETED",
    attempts: 1,
    streamed: true,
    ttftMs: 120,
    durationMs: 900,
  };
}

/** Usage records name them and nothing checks them there. */
const objects = { apiKeyId: newId(), endpointId: newId(), offeringId: newId() };
