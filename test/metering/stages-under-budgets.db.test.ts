/** A budget counts a hold that is charged in stages as it counts any other: what is held stays held, what is charged is spent. */
import { newRequestId } from "../../src/metering/metering";
import { transaction } from "../../src/platform/transaction";
import { reportedUsage } from "../support/money-world";
import { BudgetWorld } from "./a-budget-world";

let world: BudgetWorld;

beforeAll(async () => {
  world = await BudgetWorld.open();
});
afterAll(async () => {
  await world?.close();
});

test("its stages are spent, what they leave is held under the same budget, also below a limit that was lowered meanwhile", async () => {
  const { money } = world;
  const spender = await world.spender(10_000_000n);
  const apiKeyId = await world.key(spender);
  const budgetId = await world.budget(spender, { apiKeyId }, 1_000_000n);
  const { startupId } = spender;
  const hold = { startupId, apiKeyId, amountNanoCredit: 900_000n, rateCardId: money.quote.card.id, ttlMs: 60_000 };
  const requestId = newRequestId();
  await money.metering.authorise({ ...hold, requestId, purpose: null, durable: true });
  const part = money.delivery({ requestId, startupId, heldNanoCredit: 900_000n, usage: reportedUsage(80) });
  const nextHoldId = newRequestId();
  await transaction(money.db, (tx) => money.metering.settleStage(tx, part, nextHoldId));
  expect(await world.figures(budgetId)).toMatchObject({ spentNanoCredit: 75_000n, heldNanoCredit: 825_000n });

  await world.money.db.source.query("UPDATE budget SET amount_nano_credit = 100000 WHERE id = $1", [budgetId]);
  await world.money.db.source.query("SELECT budgets_changed($1, true, $2, now())", [startupId, newRequestId()]);
  const second = { ...part, requestId: nextHoldId, heldNanoCredit: 825_000n };
  const lastHoldId = newRequestId();
  await transaction(money.db, (tx) => money.metering.settleStage(tx, second, lastHoldId));
  expect(await world.figures(budgetId)).toMatchObject({ spentNanoCredit: 150_000n, heldNanoCredit: 750_000n });

  await transaction(money.db, (tx) => money.metering.releaseIn(tx, lastHoldId));
  expect(await world.figures(budgetId)).toMatchObject({ spentNanoCredit: 150_000n, heldNanoCredit: 0n });
});
