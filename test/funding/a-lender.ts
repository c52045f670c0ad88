/** A capital partner who blocks credit, beside an operator and a stranger, in a world with money in it; each acts as its own tenant. */
import { randomUUID } from "node:crypto";
import { Organisation } from "../../entities/organisation";
import type { OrganisationKind } from "../../schema/enums";
import type { Viewer } from "../../src/accounts/viewer";
import { Outbox } from "../../src/events/outbox";
import type { BlockTarget } from "../../src/funding/block-scope";
import { Blocks, type CreditRecall } from "../../src/funding/blocks";
import { Recall } from "../../src/ledger/recall";
import { newId } from "../../src/platform/ids";
import { actAs } from "../../src/platform/tenancy";
import { viewerOf } from "../accounts/a-world";
import type { MoneyWorld } from "../support/money-world";

export interface Lender {
  readonly blocks: Blocks;
  readonly partner: Viewer;
  readonly stranger: Viewer;
  readonly operator: Viewer;
  /** Blocks everything there, for DEFAULT_RISK; `amount` in nano-credits only a part. */
  block(target: BlockTarget, options?: Partial<BlockOptions>): ReturnType<Blocks["place"]>;
  lift(id: string, by?: Viewer, key?: string): ReturnType<Blocks["lift"]>;
  assign(id: string, by?: Viewer, key?: string): ReturnType<Blocks["assign"]>;
}

interface BlockOptions {
  by: Viewer;
  amount: bigint | null;
  reason: "DEFAULT_RISK" | "DEFAULT" | "DISPUTE";
  key: string;
}

/** As a request of this one would run. */
export const acting = <T>(viewer: Viewer, work: () => Promise<T>): Promise<T> =>
  actAs(
    {
      tenant: { id: viewer.organisationId, seesAll: viewer.kind === "OPERATOR" },
      requestId: randomUUID(),
      reads: "primary",
    },
    work,
  );

export async function aLender(world: MoneyWorld, recall?: CreditRecall): Promise<Lender> {
  const { db, bus, clock } = world;
  const blocks = new Blocks({
    db,
    bus,
    clock,
    outbox: new Outbox(db, bus, clock),
    recall: recall ?? new Recall({ db, bus }),
  });
  const another = async (kind: OrganisationKind): Promise<Viewer> => {
    const id = newId();
    const row = { id, kind, name: `another ${kind}`, createdAt: clock.now(), version: 1 };
    await db.source.getRepository(Organisation).insert(row);
    return viewerOf(kind, id);
  };
  const partner = viewerOf("CAPITAL_PARTNER", world.partnerId);
  return {
    blocks,
    partner,
    stranger: await another("CAPITAL_PARTNER"),
    operator: await another("OPERATOR"),
    block: (target, { by = partner, amount = null, reason = "DEFAULT_RISK", key = randomUUID() } = {}) =>
      acting(by, () => blocks.place(by, { target, amountNanoCredit: amount, reason }, key)),
    lift: (id, by = partner, key = randomUUID()) => acting(by, () => blocks.lift(by, id, key)),
    assign: (id, by = partner, key = randomUUID()) => acting(by, () => blocks.assign(by, id, key)),
  };
}
