/** What a block is to cover, and whether it is the viewer's to block: a lender's own facilities and what they issued, an operator's everything. */
import type { EntityManager } from "typeorm";
import type { Block } from "../../entities/block";
import { CreditLot } from "../../entities/credit-lot";
import { Facility } from "../../entities/facility";
import { owns, type Viewer } from "../accounts/viewer";
import { DomainError, notFound } from "../platform/errors";
import { existingId } from "../platform/input";

/** Exactly one of them. */
export interface BlockTarget {
  readonly facilityId?: string | null | undefined;
  readonly startupId?: string | null | undefined;
  readonly lotId?: string | null | undefined;
}

export type CoveredScope = Pick<Block, "scope" | "capitalPartnerId" | "facilityId" | "startupId" | "lotId">;

const nothing = { facilityId: null, startupId: null, lotId: null };

/** Errors: BAD_USER_INPUT; NOT_FOUND also for what is another lender's. */
export async function scopeOf(tx: EntityManager, viewer: Viewer, target: BlockTarget): Promise<CoveredScope> {
  const { facilityId, startupId, lotId } = target;
  if ([facilityId, startupId, lotId].filter((id) => id != null).length !== 1) {
    throw new DomainError("BAD_USER_INPUT", "target: name a facility, a startup or a credit lot", { field: "target" });
  }
  if (facilityId != null) {
    const capitalPartnerId = await lenderOf(tx, viewer, existingId(facilityId, "facility"), "facility");
    return { ...nothing, scope: "FACILITY", capitalPartnerId, facilityId };
  }
  if (lotId != null) {
    const lot = await tx.findOneBy(CreditLot, { id: existingId(lotId, "credit lot") });
    if (lot === null) throw notFound("credit lot", "target");
    const capitalPartnerId = await lenderOf(tx, viewer, lot.facilityId, "credit lot");
    return { ...nothing, scope: "LOT", capitalPartnerId, lotId };
  }
  return walletOf(tx, viewer, existingId(startupId!, "startup"));
}

async function lenderOf(tx: EntityManager, viewer: Viewer, facilityId: string, what: string): Promise<string> {
  const facility = await tx.findOneBy(Facility, { id: facilityId });
  if (facility === null || !owns(viewer, facility.capitalPartnerId)) throw notFound(what, "target");
  return facility.capitalPartnerId;
}

/** A lender sees a startup that it has funded: of another's borrowers it must not learn that they exist. */
async function walletOf(tx: EntityManager, viewer: Viewer, startupId: string): Promise<CoveredScope> {
  const own = viewer.kind === "OPERATOR" ? null : viewer.organisationId;
  const [row]: { known: boolean }[] = await tx.query(
    own === null
      ? "SELECT is_organisation($1, 'STARTUP') AS known"
      : `SELECT EXISTS (SELECT FROM credit_lot l JOIN facility f ON f.id = l.facility_id
                         WHERE l.startup_id = $1 AND f.capital_partner_id = $2) AS known`,
    own === null ? [startupId] : [startupId, own],
  );
  if (!row?.known) throw notFound("startup", "target");
  return { ...nothing, scope: "WALLET", capitalPartnerId: own, startupId };
}
