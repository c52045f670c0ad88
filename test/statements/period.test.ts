/** Billing months are UTC months, and fall due thirty days after their end. */
import { checkPeriod, dueAt, endOf, monthsAfter } from "../../src/statements/period";

test("a month is YYYY-MM", () => {
  expect(checkPeriod("2026-01")).toBe("2026-01");
  for (const wrong of ["2026-13", "2026-1", "26-01", "2026-00", "1999-12", "2026-01-01", ""]) {
    expect(() => checkPeriod(wrong)).toThrow("period");
  }
});

test.each([
  ["2026-01", "2026-02-01T00:00:00.000Z", "2026-03-03T00:00:00.000Z"],
  ["2026-12", "2027-01-01T00:00:00.000Z", "2027-01-31T00:00:00.000Z"],
  ["2028-02", "2028-03-01T00:00:00.000Z", "2028-03-31T00:00:00.000Z"],
])("%s ends at %s and falls due at %s", (period, end, due) => {
  expect(endOf(period).toISOString()).toBe(end);
  expect(dueAt(period).toISOString()).toBe(due);
});

test("months are counted over the ends of years, both ways", () => {
  expect(monthsAfter("2026-01", -2)).toBe("2025-11");
  expect(monthsAfter("2026-11", 2)).toBe("2027-01");
  expect(monthsAfter("2026-06", 0)).toBe("2026-06");
});
