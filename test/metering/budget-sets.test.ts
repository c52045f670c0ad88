/** A process borrows for a key only under the budgets that the ledger last told of, and forgets what a change has overtaken. */
import { BudgetSets } from "../../src/metering/budget-sets";

const [STARTUP, KEY, OTHER] = ["a-startup", "a-key", "another-key"];
const under = (epoch: number, ...ids: string[]) => ({ epoch, standing: true, ids });

describe("what a process knows of a startup's budgets", () => {
  it("is nothing until the ledger has told, key by key", () => {
    const sets = new BudgetSets();
    expect(sets.of(STARTUP, KEY, 0)).toBeNull();
    sets.learn(STARTUP, KEY, 0, under(1, "b"));
    expect(sets.of(STARTUP, KEY, 0)).toMatchObject({ ids: ["b"], epoch: 1 });
    expect(sets.of(STARTUP, OTHER, 0)).toBeNull();
    expect(sets.of("another-startup", KEY, 0)).toBeNull();
  });

  it("is the same for every key where there is no budget, so that none of them waits to be told", () => {
    const sets = new BudgetSets();
    sets.learn(STARTUP, KEY, 0);
    expect(sets.of(STARTUP, OTHER, 0)).toMatchObject({ ids: [], epoch: 0 });
    sets.learn(STARTUP, KEY, 0, { epoch: 4, standing: false, ids: [] });
    expect(sets.of(STARTUP, OTHER, 0)).toMatchObject({ ids: [], epoch: 4 });
  });

  it("is one lease for keys that are under the same budgets, and another after each change", () => {
    const sets = new BudgetSets();
    sets.learn(STARTUP, KEY, 0, under(1, "a", "b"));
    sets.learn(STARTUP, OTHER, 0, under(1, "a", "b"));
    const before = sets.of(STARTUP, KEY, 0)!.key;
    expect(sets.of(STARTUP, OTHER, 0)!.key).toBe(before);
    sets.learn(STARTUP, KEY, 0, under(2, "a", "b"));
    expect(sets.of(STARTUP, KEY, 0)!.key).not.toBe(before);
    expect(sets.of(STARTUP, OTHER, 0)).toBeNull();
  });

  it("does not go back to an older answer that comes late", () => {
    const sets = new BudgetSets();
    sets.learn(STARTUP, KEY, 0, under(2, "b"));
    sets.learn(STARTUP, KEY, 0, under(1));
    expect(sets.of(STARTUP, KEY, 0)).toMatchObject({ ids: ["b"], epoch: 2 });
  });

  it("is none for a request without a key, at the startup's epoch", () => {
    const sets = new BudgetSets();
    expect(sets.of(STARTUP, null, 0)).toBeNull();
    sets.learn(STARTUP, null, 0, under(3));
    expect(sets.of(STARTUP, null, 0)).toMatchObject({ ids: [], epoch: 3 });
  });

  it("is forgotten when it was wrong, or when nobody asked for a while", () => {
    const sets = new BudgetSets();
    sets.learn(STARTUP, KEY, 0, under(1, "b"));
    sets.forget(STARTUP);
    expect(sets.of(STARTUP, KEY, 0)).toBeNull();
    sets.learn(STARTUP, KEY, 0, under(1, "b"));
    sets.of(STARTUP, KEY, 1_000);
    sets.forgetUnused(1_000);
    expect(sets.of(STARTUP, KEY, 1_000)).not.toBeNull();
    sets.forgetUnused(1_001);
    expect(sets.of(STARTUP, KEY, 1_001)).toBeNull();
  });
});
