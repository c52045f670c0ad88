/** What the one group commit takes and answers, kind by kind, as `metering_commit` reads and writes it. */
import type { Workload } from "../../schema/enums";

/** Credit set aside for one request in the ledger itself. */
export interface HoldItem {
  readonly id: string;
  readonly startupId: string;
  readonly amount: string;
  readonly rateCardId: string;
  readonly placedAt: Date;
  readonly expiresAt: Date;
  /** What the request may end at; null: only lots that are kept for nothing in particular. */
  readonly accelerators: readonly string[] | null;
  readonly workload: Workload | null;
  /** By which it is found out what budgets it is under; null: none. */
  readonly apiKeyId: string | null;
}

export interface HoldResult {
  readonly code: "HELD" | "INSUFFICIENT_CREDITS" | "BUDGET_EXCEEDED" | "HOLD_ID_REUSED";
  /** What was available when its turn came, in the wallet or in the budget, when it was refused. */
  readonly available: string | null;
  /** What of it was lent to relays by then, when it was refused. */
  readonly leased: string | null;
  /** With BUDGET_EXCEEDED: the tightest of its budgets. */
  readonly budget?: ExceededBudget | null;
  /** Left out: nobody ever set a budget for this startup. */
  readonly under?: KnownBudgets;
}

/** A budget as whoever is refused is told of it. */
export interface ExceededBudget {
  readonly id: string;
  readonly of: "API_KEY" | "PROJECT";
  readonly name: string;
  /** `YYYY-MM` or `TOTAL`. */
  readonly period: string;
  readonly limit: string;
  readonly spent: string;
  readonly held: string;
}

/** What a key is under, as of the startup's `epoch`. */
export interface KnownBudgets {
  readonly epoch: number;
  /** Whether any key of the startup is under any. */
  readonly standing: boolean;
  readonly ids: readonly string[];
}

/** The usage record beside a charge. */
export type UsageMembers = Readonly<Record<string, unknown>>;

/** What becomes of a hold of the ledger. */
export interface ResolutionItem {
  readonly holdId: string;
  readonly resolution: "CAPTURED" | "VOIDED" | "EXPIRED";
  readonly at: Date;
  readonly charge?: string;
  readonly accrual?: string;
  readonly providerId?: string;
  readonly period?: string;
  readonly usage?: UsageMembers;
}

export interface ResolutionResult {
  readonly code: "CAPTURED" | "VOIDED" | "EXPIRED" | "HOLD_NOT_FOUND" | "HOLD_NOT_OPEN";
  readonly charged: string;
  readonly spread: string;
  /** False when an earlier commit had resolved the hold already. */
  readonly fresh: boolean;
}

/** A request charged to a lease. */
export interface CaptureItem {
  readonly id: string;
  readonly startupId: string;
  readonly leaseId: string;
  readonly rateCardId: string;
  readonly held: string;
  readonly at: Date;
  readonly charge: string;
  readonly accrual: string;
  readonly providerId: string;
  readonly period: string;
  readonly usage: UsageMembers;
}

export interface CaptureResult {
  /** LEASE_EXCEEDED: more than the lease has, which says that this process counted wrongly. */
  readonly code: "CAPTURED" | "LEASE_LOST" | "LEASE_EXCEEDED";
  readonly charged: string;
  readonly spread: string;
  readonly fresh: boolean;
}

/** Leased credit that goes back. */
export interface ReturnItem {
  readonly id: string;
  readonly leaseId: string;
  /** Of a return that closes the lease nobody asks: all that is left of it goes back. */
  readonly amount: string;
  /** The recall after which nothing is kept that was not set aside. */
  readonly acknowledges: number | null;
  readonly close: boolean;
  readonly at: Date;
}

export interface ReturnResult {
  readonly code: "RETURNED" | "LEASE_LOST";
}

/** A tranche that is asked for; the first one of a lease opens it. */
export interface GrantItem {
  readonly id: string;
  readonly leaseId: string;
  readonly startupId: string;
  readonly instance: string;
  readonly accelerators: readonly string[];
  readonly workload: Workload;
  readonly amount: string;
  /** Of what is available at most. */
  readonly sharePpm: number;
  /** Rather nothing than less. */
  readonly minimum: string;
  readonly ttlMs: number;
  readonly at: Date;
  /** What its requests are under, as this process knows it. */
  readonly budgetIds: readonly string[];
  readonly budgetEpoch: number;
}

export interface GrantResult {
  /** BUDGETS_CHANGED: what this process knows of the startup's budgets is out of date. */
  readonly code: "GRANTED" | "TOO_LITTLE" | "LEASE_LOST" | "BUDGETS_CHANGED";
  readonly granted: string | null;
  readonly available: string | null;
  /** When the first of its lots expires. */
  readonly usableUntil: string | null;
}

/** In the order in which the commit works them off: what frees credit first. */
export const itemKinds = ["resolutions", "captures", "returns", "grants", "holds"] as const;

export interface CommitItems {
  resolutions: ResolutionItem;
  captures: CaptureItem;
  returns: ReturnItem;
  grants: GrantItem;
  holds: HoldItem;
}

export interface CommitResults {
  resolutions: ResolutionResult;
  captures: CaptureResult;
  returns: ReturnResult;
  grants: GrantResult;
  holds: HoldResult;
}

export type ItemKind = keyof CommitItems;
export type CommitAnswer = { readonly [Kind in ItemKind]: readonly CommitResults[Kind][] };
