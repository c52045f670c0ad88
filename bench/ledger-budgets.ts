/** Gives each startup of the bench a key under two hard budgets that are never used up: its own and its project's. */
import type { LedgerWorld } from "./ledger-world";

const AMOUNT_NANO_CREDIT = 1_000_000_000_000_000n;

/** Keys by startup. */
export async function giveBudgets({ services, operator, startupIds }: LedgerWorld): Promise<Map<string, string>> {
  const { accounts, budgets } = services;
  const terms = { amountNanoCredit: AMOUNT_NANO_CREDIT, period: "MONTH", hardStop: true } as const;
  const keys = new Map<string, string>();
  for (const startupId of startupIds) {
    const { id: projectId } = await accounts.projects.create(operator, { startupId, name: "bench" });
    const fields = { organisationId: startupId, name: "bench", scopes: ["INFER"] as const, projectId };
    const { apiKey } = await accounts.createApiKey(operator, fields);
    await budgets.create(operator, { apiKeyId: null, projectId, ...terms });
    await budgets.create(operator, { apiKeyId: apiKey.id, projectId: null, ...terms });
    keys.set(startupId, apiKey.id);
  }
  return keys;
}
