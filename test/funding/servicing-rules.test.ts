/** What servicing costs in a month, whenever its dollars were drawn. */
import fc from "fast-check";
import { endedMonths, servicingFee } from "../../src/funding/servicing-rules";

const USD = 1_000_000_000n;
const at = (text: string) => new Date(text);

test("a million dollars at 1 % a year cost 849.32 in a month of 31 days and 821.92 in one of 30", () => {
  const drawn = [{ at: at("2026-01-05T00:00:00Z"), nanoUsd: 1_000_000n * USD }];
  expect(servicingFee(drawn, "2026-03", 10_000n)).toEqual({
    drawnNanoUsd: 1_000_000n * USD,
    amountNanoUsd: 849_315_068_493n,
  });
  expect(servicingFee(drawn, "2026-04", 10_000n).amountNanoUsd).toBe(821_917_808_219n);
});

test("a dollar counts from when it is drawn, and no longer once it is back", () => {
  const half = [{ at: at("2026-04-16T00:00:00Z"), nanoUsd: 100n * USD }];
  expect(servicingFee(half, "2026-04", 10_000n).drawnNanoUsd).toBe(50n * USD);
  expect(servicingFee(half, "2026-03", 10_000n)).toEqual({ drawnNanoUsd: 0n, amountNanoUsd: 0n });
  const back = [...half, { at: at("2026-05-01T00:00:00Z"), nanoUsd: -100n * USD }];
  expect(servicingFee(back, "2026-04", 10_000n).drawnNanoUsd).toBe(50n * USD);
  expect(servicingFee(back, "2026-05", 10_000n).amountNanoUsd).toBe(0n);
});

test("twelve months cost what the year does, but for one rounding each", () => {
  const months = Array.from({ length: 12 }, (_, n) => `2026-${String(n + 1).padStart(2, "0")}`);
  const amount = fc.bigInt({ min: 1n, max: 1_000_000_000n * USD });
  fc.assert(
    fc.property(amount, fc.bigInt({ min: 0n, max: 20_000n }), (nanoUsd, ppm) => {
      const drawn = [{ at: at("2025-12-31T00:00:00Z"), nanoUsd }];
      const year = months.reduce((sum, month) => sum + servicingFee(drawn, month, ppm).amountNanoUsd, 0n);
      const error = 2n * (year * 1_000_000n - nanoUsd * ppm);
      expect(error <= 12n * 1_000_000n && error >= -12n * 1_000_000n).toBe(true);
    }),
  );
});

test("what is drawn in parts costs what it does at once, but for one rounding", () => {
  const parts = fc.array(fc.bigInt({ min: 1n, max: 1_000_000n * USD }), { minLength: 1, maxLength: 10 });
  const day = fc.date({ min: at("2026-01-01"), max: at("2026-06-30"), noInvalidDate: true });
  fc.assert(
    fc.property(parts, day, fc.bigInt({ min: 1n, max: 20_000n }), (amounts, when, ppm) => {
      const once = servicingFee([{ at: when, nanoUsd: amounts.reduce((a, b) => a + b) }], "2026-03", ppm);
      expect(
        servicingFee(
          amounts.map((nanoUsd) => ({ at: when, nanoUsd })),
          "2026-03",
          ppm,
        ),
      ).toEqual(once);
    }),
  );
});

test("only months that have ended are charged, over a new year too", () => {
  const since = at("2026-11-20T10:00:00Z");
  expect(endedMonths(since, at("2026-11-30T23:59:59.999Z"))).toEqual([]);
  expect(endedMonths(since, at("2026-12-01T00:00:00Z"))).toEqual(["2026-11"]);
  expect(endedMonths(since, at("2027-02-03T00:00:00Z"))).toEqual(["2026-11", "2026-12", "2027-01"]);
});
