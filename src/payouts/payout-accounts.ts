/** The door to providers' bank accounts: one person proposes, another confirms, and a time passes in which nothing is paid. */
import type { EntityManager } from "typeorm";
import { z } from "zod";
import { Organisation } from "../../entities/organisation";
import { PayoutAccount } from "../../entities/payout-account";
import type { PayoutAccountChange, PayoutAccountState } from "../../schema/enums";
import { organisationScope, ownerOfNew, owns, requireKind, requireScope, type Viewer } from "../accounts/viewer";
import { type Change, changed, recordAct } from "../audit/audit";
import type { Outbox } from "../events/outbox";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId, newId } from "../platform/ids";
import { checked, checkVersion, existingId, line, violatesUnique } from "../platform/input";
import { fetchPage, type Page, type PageRequest } from "../platform/page";
import { readRows } from "../platform/rows";
import { transaction } from "../platform/transaction";
import type { AccountSeal } from "./account-seal";
import { checkBic, checkIban } from "./iban";
import { accountsOf } from "./payability";
import { accountStateOf, situationOf } from "./payout-holds";
import { actorOf, requireSecondPerson } from "./two-people";

export interface NewPayoutAccount {
  /** Whose it is; only an operator has to say. */
  readonly providerId?: string | null | undefined;
  readonly holder: string;
  readonly iban: string;
  readonly bic: string;
  readonly country: string;
}

/** As it is shown: its number but for the end stays sealed. */
export interface ShownAccount extends Omit<PayoutAccount, "state" | "holderSealed" | "ibanSealed"> {
  readonly state: PayoutAccountState;
  readonly holder: string;
}

const fields = z.object({
  holder: line(140),
  country: z.string().regex(/^[A-Z]{2}$/, "must be a country's code of two letters, e.g. DE"),
});

export class PayoutAccounts {
  private readonly db: Database;
  private readonly clock: Clock;
  private readonly outbox: Outbox;
  private readonly seal: AccountSeal;
  private readonly coolingMs: number;

  constructor(dependencies: { db: Database; clock: Clock; outbox: Outbox; seal: AccountSeal; coolingMs: number }) {
    this.db = dependencies.db;
    this.clock = dependencies.clock;
    this.outbox = dependencies.outbox;
    this.seal = dependencies.seal;
    this.coolingMs = dependencies.coolingMs;
  }

  /** Changes nothing yet. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT, STATE_CONFLICT (another one waits). */
  async propose(viewer: Viewer | null, input: NewPayoutAccount): Promise<ShownAccount> {
    const known = requireScope(viewer, "WRITE");
    const providerId = ownerOfNew(known, "PROVIDER", { field: "providerId", id: input.providerId });
    const { holder, country } = checked(fields, input);
    const iban = checkIban(input.iban);
    if (!iban.startsWith(country)) {
      throw new DomainError("BAD_USER_INPUT", "country: is not the one that the IBAN begins with", {
        field: "country",
      });
    }
    const id = newId();
    const account: PayoutAccount = {
      id,
      providerId,
      state: "PROPOSED",
      country,
      bic: checkBic(input.bic),
      holderSealed: this.seal.seal(holder, { rowId: id, column: "holder" }),
      ibanSealed: this.seal.seal(iban, { rowId: id, column: "iban" }),
      ibanEnd: iban.slice(-4),
      proposedBy: actorOf(known),
      proposedAt: this.clock.now(),
      confirmedBy: null,
      confirmedAt: null,
      usableFrom: null,
      cancelledAt: null,
      version: 1,
    };
    try {
      await transaction(this.db, async (tx) => {
        if (!(await tx.existsBy(Organisation, { id: providerId, kind: "PROVIDER" }))) {
          throw notFound("provider", "providerId");
        }
        await tx.insert(PayoutAccount, account);
        const { bic, ibanEnd } = account;
        await this.tell(tx, known, account, "PROPOSED", {
          country: { to: country },
          bic: { to: bic },
          ibanEnd: { to: ibanEnd },
        });
      });
    } catch (error) {
      if (!violatesUnique(error, "payout_account_proposed_key")) throw error;
      throw new DomainError("STATE_CONFLICT", "Another account waits to be confirmed: confirm or cancel it first.", {
        cause: error,
      });
    }
    return { ...account, state: "PROPOSED", holder };
  }

  /**
   * The second person's word, of the same provider; of a provider's first account an operator's will do as well. Nothing is
   * paid to the provider until the cooling period is over. A repeat changes nothing.
   * Errors: UNAUTHENTICATED, FORBIDDEN (the same person, one who came after the proposal), NOT_FOUND, VERSION_CONFLICT, STATE_CONFLICT.
   */
  async confirm(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<ShownAccount> {
    const known = requireKind(viewer, "ADMIN", "PROVIDER", "OPERATOR");
    const at = this.clock.now();
    const account = await transaction(this.db, async (tx) => {
      const account = await this.ownAccount(tx, known, id);
      if (account.state === "CONFIRMED" && account.confirmedBy === actorOf(known)) return account;
      checkVersion(account, expectedVersion);
      if (account.state !== "PROPOSED") throw new DomainError("STATE_CONFLICT", `The account is ${account.state}.`);
      await requireSecondPerson(tx, known, { actor: account.proposedBy, at: account.proposedAt });
      if (known.kind === "OPERATOR" && (await hasEarlierAccount(tx, account))) {
        throw new DomainError("FORBIDDEN", "A change of account is confirmed by the provider itself.");
      }
      const change = {
        state: "CONFIRMED" as const,
        confirmedBy: actorOf(known),
        confirmedAt: at,
        usableFrom: new Date(at.getTime() + this.coolingMs),
        version: account.version + 1,
      };
      await tx.update(PayoutAccount, { id }, change);
      await this.tell(tx, known, account, "CONFIRMED", changed<PayoutAccount>(account, change));
      return Object.assign(account, change);
    });
    return this.shown(account);
  }

  /** While it waits or cools; payouts then go where they went before. Either person alone may: it is the safe way. A repeat changes nothing. Errors: as confirm. */
  async cancel(viewer: Viewer | null, id: string, expectedVersion?: number | null): Promise<ShownAccount> {
    const known = requireKind(viewer, "WRITE", "PROVIDER", "OPERATOR");
    const at = this.clock.now();
    const account = await transaction(this.db, async (tx) => {
      const account = await this.ownAccount(tx, known, id);
      if (account.state === "CANCELLED") return account;
      checkVersion(account, expectedVersion);
      if (account.usableFrom !== null && account.usableFrom <= at) {
        throw new DomainError("STATE_CONFLICT", "Payouts go to it already: propose another account instead.");
      }
      const change = { state: "CANCELLED" as const, cancelledAt: at, version: account.version + 1 };
      await tx.update(PayoutAccount, { id }, change);
      await this.tell(tx, known, account, "CANCELLED", changed<PayoutAccount>(account, change));
      return Object.assign(account, change);
    });
    return this.shown(account);
  }

  /** A provider's own, an operator's all. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, BAD_USER_INPUT (page). */
  async page(
    viewer: Viewer | null,
    page: PageRequest,
    filter: { providerId?: string | null | undefined } = {},
  ): Promise<Page<ShownAccount>> {
    const known = requireKind(viewer, "READ", "PROVIDER", "OPERATOR");
    const providerId = organisationScope(known, "READ", filter.providerId);
    const query = this.db.source.getRepository(PayoutAccount).createQueryBuilder("account");
    if (providerId !== null) query.andWhere("account.providerId = :providerId", { providerId });
    const found = await fetchPage(this.db, query, page);
    return { ...found, rows: await this.allShown(found.rows) };
  }

  /** Not cancelled, oldest first: where the stream of changes starts. Errors: UNAUTHENTICATED, FORBIDDEN. */
  async standing(viewer: Viewer | null): Promise<ShownAccount[]> {
    const providerId = organisationScope(requireKind(viewer, "READ", "PROVIDER", "OPERATOR"), "READ");
    const which = "WHERE state <> 'CANCELLED' AND ($1::uuid IS NULL OR provider_id = $1) ORDER BY id";
    return this.allShown(await readRows(this.db, PayoutAccount, which, [providerId]));
  }

  /** In no order, unknown ids left out. Authorises nobody: whoever hands rows out decides. */
  async byIds(ids: readonly string[]): Promise<ShownAccount[]> {
    return this.allShown(await readRows(this.db, PayoutAccount, "WHERE id = ANY ($1)", [ids.filter(isId)]));
  }

  private async ownAccount(tx: EntityManager, viewer: Viewer, id: string): Promise<PayoutAccount> {
    const account = await tx.findOne(PayoutAccount, {
      where: { id: existingId(id, "payout account") },
      lock: { mode: "pessimistic_write" },
    });
    if (account === null || !owns(viewer, account.providerId)) throw notFound("payout account");
    return account;
  }

  /** Everybody who follows the provider's account hears of it, whoever changed it: also those whose word was not asked. */
  private async tell(
    tx: EntityManager,
    viewer: Viewer,
    { id, providerId }: PayoutAccount,
    what: Exclude<PayoutAccountChange, "STANDING">,
    change: Change,
  ): Promise<void> {
    await this.outbox.append(tx, "payout.account.changed", providerId, { accountId: id, change: what });
    await recordAct(tx, viewer, {
      at: this.clock.now(),
      action: `payout-account.${verbs[what]}`,
      subjectType: "PayoutAccount",
      subjectId: id,
      organisationId: providerId,
      change,
    });
  }

  private async shown(account: PayoutAccount): Promise<ShownAccount> {
    return (await this.allShown([account]))[0]!;
  }

  private async allShown(rows: readonly PayoutAccount[]): Promise<ShownAccount[]> {
    if (rows.length === 0) return [];
    const now = this.clock.now();
    const byProvider = await accountsOf(
      this.db.source.manager,
      rows.map(({ providerId }) => providerId),
    );
    return rows.map(({ holderSealed, ibanSealed: _, ...row }) => ({
      ...row,
      state: accountStateOf(row, situationOf(byProvider.get(row.providerId) ?? [], now), now),
      holder: this.seal.open(holderSealed, { rowId: row.id, column: "holder" }),
    }));
  }
}

const verbs = { PROPOSED: "propose", CONFIRMED: "confirm", CANCELLED: "cancel" } as const;

async function hasEarlierAccount(tx: EntityManager, { providerId }: PayoutAccount): Promise<boolean> {
  return tx.existsBy(PayoutAccount, { providerId, state: "CONFIRMED" });
}
