/** Watches coverage after issuance: rate cards move, lots expire, and whoever lent learns of it once when it falls and once when it is back. */

import type { EntityManager } from "typeorm";
import { IsNull } from "typeorm";
import { CoverageAlert } from "../../entities/coverage-alert";
import { Organisation } from "../../entities/organisation";
import type { Outbox } from "../events/outbox";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { newId } from "../platform/ids";
import { transaction } from "../platform/transaction";
import { type CreditCost, costPpm, coveragePpm, isCovered, type Position, sumOf } from "./coverage";
import { nextAlert } from "./coverage-states";
import { COVERAGE_FLOOR_PPM_MIN } from "./facility-rules";
import { readPositions, readWorstCost } from "./positions";

/** The subject of what concerns all facilities together. */
export const ALL_FACILITIES = "ALL";

interface Subject extends Position {
  /** A facility's id, or ALL_FACILITIES. */
  readonly subject: string;
  readonly facilityId: string | null;
  readonly floorPpm: bigint;
  /** Whose business it is. */
  readonly organisationId: string;
}

/** Told after each evaluation; a ratio is null where nothing is outstanding. */
export type CoverageListener = (ratiosPpm: ReadonlyMap<string, bigint | null>) => void;

export class CoverageWatch {
  private readonly db: Database;
  private readonly outbox: Outbox;
  private readonly clock: Clock;
  private readonly listeners = new Set<CoverageListener>();

  constructor(dependencies: { db: Database; outbox: Outbox; clock: Clock }) {
    this.db = dependencies.db;
    this.outbox = dependencies.outbox;
    this.clock = dependencies.clock;
  }

  /** For what shows the ratios, such as metrics. Returns the end of it. */
  onEvaluated(listener: CoverageListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Compares every facility, and all together, with its floor; opens and closes alerts and tells it in the outbox, in one
   * transaction. Repeating it changes nothing; several processes take turns. For the worker.
   */
  async evaluate(at: Date = this.clock.now()): Promise<void> {
    const cost = await readWorstCost(this.db, at);
    const subjects = await transaction(this.db, async (tx) => {
      await tx.query("SELECT pg_advisory_xact_lock(hashtext('exergy.coverage'))");
      const found = await subjectsOf(tx);
      const open = new Map(
        (await tx.findBy(CoverageAlert, { closedAt: IsNull() })).map((alert) => [alert.subject, alert]),
      );
      for (const subject of found) await this.judge(tx, subject, { cost, open: open.get(subject.subject), at });
      return found;
    });
    const ratios = new Map(subjects.map((subject) => [subject.subject, coveragePpm(subject, cost)]));
    for (const listener of this.listeners) listener(ratios);
  }

  private async judge(
    tx: EntityManager,
    of: Subject,
    { cost, open, at }: { cost: CreditCost; open: CoverageAlert | undefined; at: Date },
  ): Promise<void> {
    const ratioPpm = coveragePpm(of, cost);
    const verdict = isCovered(ratioPpm, of.floorPpm) ? "COVERED" : "BELOW";
    switch (nextAlert(open === undefined ? "NONE" : "OPEN", verdict)) {
      case "OPEN": {
        const { subject, facilityId, floorPpm, backingNanoUsd, outstandingNanoCredit } = of;
        const id = newId();
        const figures = { floorPpm, backingNanoUsd, outstandingNanoCredit, worstCostPpm: costPpm(cost) };
        await tx.insert(CoverageAlert, { id, subject, facilityId, ratioPpm: ratioPpm!, ...figures, openedAt: at });
        await this.outbox.append(tx, "coverage.alert.opened", of.organisationId, { alertId: id });
        break;
      }
      case "CLOSE":
        await tx.update(CoverageAlert, { id: open!.id }, { closedAt: at });
        await this.outbox.append(tx, "coverage.alert.closed", of.organisationId, { alertId: open!.id });
        break;
      case "KEEP":
    }
  }
}

async function subjectsOf(tx: EntityManager): Promise<Subject[]> {
  const positions = await readPositions(tx);
  const facilities = positions.map((position) => ({
    ...position,
    subject: position.facilityId,
    organisationId: position.capitalPartnerId,
  }));
  const operator = await tx.findOne(Organisation, { where: { kind: "OPERATOR" }, order: { id: "ASC" } });
  // Without an operator there is nobody whose business the whole is.
  if (operator === null) return facilities;
  const all = { subject: ALL_FACILITIES, facilityId: null, floorPpm: COVERAGE_FLOOR_PPM_MIN };
  return [...facilities, { ...all, ...sumOf(positions), organisationId: operator.id }];
}
