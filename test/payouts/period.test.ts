/** When a billing month falls due. */
import { checkPeriod, dueAt } from "../../src/statements/period";
import { refusal } from "../accounts/a-world";

test("a month is due thirty days after its end, in UTC, across years and leap days", () => {
  const due = (period: string) => dueAt(period).toISOString();
  expect(due("2026-01")).toBe("2026-03-03T00:00:00.000Z");
  expect(due("2025-12")).toBe("2026-01-31T00:00:00.000Z");
  expect(due("2028-01")).toBe("2028-03-02T00:00:00.000Z");
});

test("what is not a month is refused", async () => {
  for (const period of ["2026", "2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", " 2026-01"]) {
    expect(await refusal(() => checkPeriod(period))).toBe("BAD_USER_INPUT period");
  }
});
