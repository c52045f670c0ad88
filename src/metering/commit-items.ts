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
}

export interface HoldResult {
  readonly code: "HELD" | "INSUFFICIENT_CREDITS" | "HOLD_ID_REUSED";
  /** What was available when its turn came, with INSUFFICIENT_CREDITS. */
  readonly available: string | null;
  /** What of the startup's credit was lent to relays by then, with INSUFFICIENT_CREDITS. */
  readonly leased: string | null;
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
}

export interface GrantResult {
  readonly code: "GRANTED" | "TOO_LITTLE" | "LEASE_LOST";
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
