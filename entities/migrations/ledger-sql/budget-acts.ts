/** SQL of migration 0026: what a change of budgets does to their counters. */
import { TENANT_ROLE } from "../../row-policies";

/**
 * Called in the transaction of every act on a startup's budgets, and of one that moves a key from project to project. From its
 * commit on the ledger goes by the new terms. \`moved\`: what keys are under is another, so that relay processes have to ask again.
 * A period that is over keeps its terms; a threshold that a lower limit has put behind what is spent is told.
 */
const changed = (schema: string) => `
  CREATE FUNCTION budgets_changed(startup uuid, moved boolean, act_id uuid, acted_at timestamptz) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = ${schema}, pg_temp AS $$
  BEGIN
    IF current_setting('role') = '${TENANT_ROLE}' AND NOT acting_sees_all() AND startup IS DISTINCT FROM acting_tenant_id() THEN
      RAISE EXCEPTION 'not a startup of this tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM ledger_lock();
    INSERT INTO budget_epoch AS e (startup_id, epoch, standing)
    VALUES (startup, 1, EXISTS (SELECT FROM budget b WHERE b.startup_id = startup AND b.removed_at IS NULL))
    ON CONFLICT (startup_id) DO UPDATE SET epoch = e.epoch + CASE WHEN moved THEN 1 ELSE 0 END, standing = excluded.standing;
    UPDATE budget_period p
       SET limit_nano_credit = b.amount_nano_credit, hard_stop = b.hard_stop AND b.removed_at IS NULL,
           ceiling_nano_credit = greatest(b.amount_nano_credit, p.spent_nano_credit + p.held_nano_credit + p.leased_nano_credit)
      FROM budget b
     WHERE b.startup_id = startup AND p.budget_id = b.id AND (p.period = 'TOTAL' OR p.period >= budget_period_at('MONTH', acted_at));
    WITH crossed AS (
      INSERT INTO budget_alert (id, budget_id, startup_id, period, threshold_ppm, limit_nano_credit, spent_nano_credit, at)
      SELECT ledger_named_id(act_id, 'budget-alert:' || b.id || p.period || t.ppm), b.id, startup, p.period, t.ppm, p.limit_nano_credit,
             p.spent_nano_credit, acted_at
        FROM budget b JOIN budget_period p ON p.budget_id = b.id AND p.period = budget_period_at(b.period, acted_at)
       CROSS JOIN LATERAL unnest(b.thresholds_ppm || 1000000) AS t(ppm)
       WHERE b.startup_id = startup AND b.removed_at IS NULL AND p.spent_nano_credit::numeric * 1000000 >= p.limit_nano_credit::numeric * t.ppm
      ON CONFLICT (budget_id, period, threshold_ppm) DO NOTHING
      RETURNING id
    )
    INSERT INTO outbox_event (id, topic, organisation_id, payload, created_at)
    SELECT ledger_named_id(id, 'told'), 'budget.alert.raised', startup, jsonb_build_object('alertId', id), acted_at FROM crossed;
  END $$;
  REVOKE EXECUTE ON FUNCTION budgets_changed(uuid, boolean, uuid, timestamptz) FROM PUBLIC;
  GRANT EXECUTE ON FUNCTION budgets_changed(uuid, boolean, uuid, timestamptz) TO ${TENANT_ROLE};`;

export const budgetActFunctions = (schema: string): string[] => [changed(schema)];
