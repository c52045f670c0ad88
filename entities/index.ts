/** The tables of the DataSource. */
import { Accelerator } from "./accelerator";
import { ApiKey } from "./api-key";
import { AuditEvent } from "./audit-event";
import { CapacityWindow } from "./capacity-window";
import { CreditLot } from "./credit-lot";
import { Drawdown } from "./drawdown";
import { Endpoint } from "./endpoint";
import { Facility } from "./facility";
import { Fixing } from "./fixing";
import { Hold } from "./hold";
import { IdempotencyKey } from "./idempotency-key";
import { LedgerAccount } from "./ledger-account";
import { Member } from "./member";
import { Offering } from "./offering";
import { Organisation } from "./organisation";
import { OutboxEpoch } from "./outbox-epoch";
import { OutboxEvent } from "./outbox-event";
import { PricingTierRow } from "./pricing-tier";
import { RateCardRow } from "./rate-card";
import { RoutingDecision } from "./routing-decision";
import { Session } from "./session";
import { SlaBreach } from "./sla-breach";
import { SlaMinute } from "./sla-minute";
import { SlaTier } from "./sla-tier";
import { SpotObservation } from "./spot-observation";
import { Transfer } from "./transfer";
import { UsageRecord } from "./usage-record";

export const entities = [
  Accelerator,
  ApiKey,
  AuditEvent,
  CapacityWindow,
  CreditLot,
  Drawdown,
  Endpoint,
  Facility,
  Fixing,
  Hold,
  IdempotencyKey,
  LedgerAccount,
  Member,
  Offering,
  Organisation,
  OutboxEpoch,
  OutboxEvent,
  PricingTierRow,
  RateCardRow,
  RoutingDecision,
  Session,
  SlaBreach,
  SlaMinute,
  SlaTier,
  SpotObservation,
  Transfer,
  UsageRecord,
] as const;
