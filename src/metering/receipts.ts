/** Signed receipts of charged requests, made when somebody asks: proof against the key set, without asking us again. */
import type { KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { UsageRecord } from "../../entities/usage-record";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import type { Database } from "../platform/database";
import { notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import { readRows } from "../platform/rows";
import { asSystem } from "../platform/tenancy";
import type { Pricing } from "../pricing/pricing";
import { deliveryReceiptClaims, type ReceiptClaims, type ReceiptFacts, usageReceiptClaims } from "./receipt-claims";

/** Keeps a receipt from passing for another kind of token of ours. */
export const RECEIPT_TYPE = "exergy-receipt+jwt";

export interface Receipt {
  readonly requestId: string;
  /** JWS in compact form. */
  readonly jws: string;
  readonly claims: ReceiptClaims;
  /** Where the public key is. */
  readonly keySetUrl: string;
}

export interface ReceiptsDependencies {
  readonly db: Database;
  readonly pricing: Pricing;
  /** Ed25519. */
  readonly signingKey: KeyObject;
  readonly kid: string;
  readonly issuer: string;
}

export class Receipts {
  private readonly keySetUrl: string;

  constructor(private readonly its: ReceiptsDependencies) {
    this.keySetUrl = `${its.issuer}/.well-known/jwks.json`;
  }

  /** A startup's receipt of its own request. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND also for one that was not charged. */
  async ofRequest(viewer: Viewer | null, requestId: string): Promise<Receipt> {
    const known = requireKind(viewer, "INFER", "STARTUP");
    const startupId = organisationScope(known, "INFER");
    const records = isId(requestId) ? await this.records([requestId]) : [];
    const own = records.filter((record) => record.startupId === startupId);
    const [receipt] = await this.signed(own, usageReceiptClaims);
    if (receipt === undefined) throw notFound("charged request", "request_id");
    return receipt;
  }

  /** Loader source: in no order, unknown ids left out, nobody authorised. */
  async ofUsages(requestIds: readonly string[]): Promise<Receipt[]> {
    return this.signed(await this.records(requestIds), usageReceiptClaims);
  }

  /** Loader source, as `ofUsages`: what the providers get. */
  async ofDeliveries(requestIds: readonly string[]): Promise<Receipt[]> {
    return this.signed(await this.records(requestIds), deliveryReceiptClaims);
  }

  private records(ids: readonly string[]): Promise<UsageRecord[]> {
    return readRows(this.its.db, UsageRecord, "WHERE id = ANY ($1)", [ids]);
  }

  private async signed(
    records: readonly UsageRecord[],
    claimsOf: (facts: ReceiptFacts) => ReceiptClaims,
  ): Promise<Receipt[]> {
    if (records.length === 0) return [];
    const { pricing, issuer } = this.its;
    const ids = (of: (record: UsageRecord) => string) => [...new Set(records.map(of))];
    // Whoever may see the record may have its receipt; what of the terms it may say, the claims decide.
    const [fixings, cards] = await asSystem(() =>
      Promise.all([
        pricing.fixingsByIds(ids(({ fixingId }) => fixingId)),
        pricing.rateCards.byIds(ids(({ rateCardId }) => rateCardId)),
      ]),
    );
    const fixingById = new Map(fixings.map((fixing) => [fixing.id, fixing]));
    const cardById = new Map(cards.map((card) => [card.id, card]));
    return Promise.all(
      records.map((record) => {
        const [fixing, card] = [fixingById.get(record.fixingId)!, cardById.get(record.rateCardId)!];
        return this.sign(record.id, claimsOf({ issuer, record, fixing, card }));
      }),
    );
  }

  private async sign(requestId: string, claims: ReceiptClaims): Promise<Receipt> {
    const { signingKey, kid } = this.its;
    const token = new SignJWT(claims).setProtectedHeader({ alg: "EdDSA", typ: RECEIPT_TYPE, kid });
    return { requestId, jws: await token.sign(signingKey), claims, keySetUrl: this.keySetUrl };
  }
}
