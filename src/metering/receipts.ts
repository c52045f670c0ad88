/** Signed receipts of charged requests, made when somebody asks: proof against the key set, without asking us again. */
import type { KeyObject } from "node:crypto";
import { SignJWT } from "jose";
import { organisationScope, requireKind, type Viewer } from "../accounts/viewer";
import type { Database } from "../platform/database";
import { notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import { asSystem } from "../platform/tenancy";
import { deliveryReceiptClaims, type ReceiptClaims, type ReceiptFacts, usageReceiptClaims } from "./receipt-claims";
import { type FactsRow, factsOf, factsStatement } from "./receipt-facts";

/** Keeps a receipt from passing for another kind of token of ours. */
export const RECEIPT_TYPE = "exergy-receipt+jwt";

export interface Receipt {
  readonly requestId: string;
  /** JWS in compact form. */
  readonly jws: string;
  readonly claims: ReceiptClaims;
  /** Where the public key is. */
  readonly jwksUri: string;
}

export interface ReceiptsDependencies {
  readonly db: Database;
  /** Ed25519. */
  readonly signingKey: KeyObject;
  readonly kid: string;
  readonly issuer: string;
}

export class Receipts {
  private readonly jwksUri: string;

  constructor(private readonly its: ReceiptsDependencies) {
    this.jwksUri = `${its.issuer}/.well-known/jwks.json`;
  }

  /** A startup's receipt of its own request. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND also for one that was not charged. */
  async ofRequest(viewer: Viewer | null, requestId: string): Promise<Receipt> {
    const known = requireKind(viewer, "INFER", "STARTUP");
    const startupId = organisationScope(known, "INFER");
    const found = isId(requestId) ? await this.facts([requestId]) : [];
    const own = found.filter(({ record }) => record.startupId === startupId);
    const [receipt] = await this.signed(own, usageReceiptClaims);
    if (receipt === undefined) throw notFound("charged request", "request_id");
    return receipt;
  }

  /** Loader source: in no order, unknown ids left out, nobody authorised. */
  async ofUsages(requestIds: readonly string[]): Promise<Receipt[]> {
    return this.signed(await this.facts(requestIds), usageReceiptClaims);
  }

  /** Loader source, as `ofUsages`: what the providers get. */
  async ofDeliveries(requestIds: readonly string[]): Promise<Receipt[]> {
    return this.signed(await this.facts(requestIds), deliveryReceiptClaims);
  }

  private async signed(
    records: readonly ReceiptFacts[],
    claimsOf: (facts: ReceiptFacts) => ReceiptClaims,
  ): Promise<Receipt[]> {
    return Promise.all(records.map((facts) => this.sign(facts.record.id, claimsOf(facts))));
  }

  /** Whoever may see the record may have its receipt; what of the terms it may say, the claims decide. */
  private async facts(ids: readonly string[]): Promise<ReceiptFacts[]> {
    const rows = await asSystem(() => this.its.db.query<FactsRow>(factsStatement, [ids]));
    return rows.map((row) => factsOf(row, this.its.issuer));
  }

  private async sign(requestId: string, claims: ReceiptClaims): Promise<Receipt> {
    const { signingKey, kid } = this.its;
    const token = new SignJWT(claims).setProtectedHeader({ alg: "EdDSA", typ: RECEIPT_TYPE, kid });
    return { requestId, jws: await token.sign(signingKey), claims, jwksUri: this.jwksUri };
  }
}
