/** A token of the identity provider → the member that it stands for, bound by its first use. */
import { IsNull } from "typeorm";
import { Member } from "../../entities/member";
import type { MemberRole, OrganisationKind } from "../../schema/enums";
import { changed, recordAct } from "../audit/audit";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { transaction } from "../platform/transaction";
import type { Identity, Issuer } from "./issuer";
import { scopesOf } from "./roles";
import type { Viewer } from "./viewer";

interface MemberRow {
  id: string;
  organisation_id: string;
  kind: OrganisationKind;
  role: MemberRole;
  bound: boolean;
}

export class People {
  private readonly db: Database;
  private readonly clock: Clock;
  private readonly realClock: Clock;
  private readonly issuer: Issuer;

  /** `realClock` is the issuer's, which nobody moves. */
  constructor(dependencies: { db: Database; clock: Clock; realClock: Clock; issuer: Issuer }) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
    this.realClock = dependencies.realClock;
    this.issuer = dependencies.issuer;
  }

  /**
   * `organisationId` chooses for who acts for several. Read from the database each time: a removal holds from the next
   * request on. Errors: UNAUTHENTICATED, IDENTITY_PROVIDER_UNAVAILABLE, those of the database.
   */
  async authenticate(token: string, organisationId: string | null): Promise<Viewer> {
    const identity = await this.issuer.verify(token);
    const member = chosen(await this.memberships(identity, organisationId));
    const viewer: Viewer = {
      organisationId: member.organisation_id,
      kind: member.kind,
      scopes: scopesOf(member.role),
      keyId: null,
      memberId: member.id,
      sessionId: null,
      expiresAt: this.inOurTime(identity.expiresAt),
      persistedOnly: false,
    };
    if (!member.bound) await this.bind(viewer, member.id, identity);
    return viewer;
  }

  private inOurTime(at: Date): Date {
    if (this.realClock === this.clock) return at;
    return new Date(at.getTime() + this.clock.nowMs() - this.realClock.nowMs());
  }

  /** By subject, or by an address that nobody has claimed yet: from then on the address may change, or become another's. */
  private memberships(
    { issuer, subject, verifiedEmail }: Identity,
    organisationId: string | null,
  ): Promise<MemberRow[]> {
    return this.db.query<MemberRow>(
      {
        name: "accounts-memberships",
        text: `SELECT m.id, m.organisation_id, o.kind, m.role, m.oidc_subject IS NOT NULL AS bound
                 FROM member m JOIN organisation o ON o.id = m.organisation_id
                WHERE m.removed_at IS NULL AND ($4::uuid IS NULL OR m.organisation_id = $4)
                  AND ((m.oidc_issuer = $1 AND m.oidc_subject = $2) OR (m.email = $3 AND m.oidc_subject IS NULL))
                ORDER BY m.id`,
      },
      [issuer, subject, verifiedEmail, organisationId],
    );
  }

  private async bind(viewer: Viewer, id: string, { issuer, subject }: Identity): Promise<void> {
    const change = { oidcIssuer: issuer, oidcSubject: subject };
    await transaction(this.db, async (tx) => {
      const { affected } = await tx.update(Member, { id, oidcSubject: IsNull(), removedAt: IsNull() }, change);
      if (affected === 0) {
        // Two first tokens at once: of the same person it is done, of another one it must not be.
        if (await tx.existsBy(Member, { id, ...change, removedAt: IsNull() })) return;
        throw new DomainError("UNAUTHENTICATED", "This membership has just been claimed by somebody else.");
      }
      await recordAct(tx, viewer, {
        at: this.clock.now(),
        action: "member.bind",
        subjectType: "Member",
        subjectId: id,
        organisationId: viewer.organisationId,
        change: changed<{ oidcIssuer: string | null; oidcSubject: string | null }>(
          { oidcIssuer: null, oidcSubject: null },
          change,
        ),
      });
    });
  }
}

/**
 * Where one is bound goes before where one was merely invited: another organisation that adds one's address must not be
 * able to lock one out of the own.
 */
function chosen(memberships: readonly MemberRow[]): MemberRow {
  const bound = memberships.filter((row) => row.bound);
  const [member, another] = bound.length === 1 ? bound : memberships;
  if (member === undefined) {
    throw new DomainError("UNAUTHENTICATED", "You are a member of no organisation here, or not of the one asked for.");
  }
  if (another !== undefined) {
    throw new DomainError(
      "UNAUTHENTICATED",
      "You act for several organisations: name one by its id in the header x-exergy-organisation.",
    );
  }
  return member;
}
