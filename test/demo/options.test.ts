import { parseOptions } from "../../demo/options";

test("without flags the demo goes on, with background traffic", () => {
  expect(parseOptions([])).toEqual({ once: false, quietTraffic: false });
});

test("both flags are known, in any order", () => {
  expect(parseOptions(["--quiet-traffic", "--once"])).toEqual({ once: true, quietTraffic: true });
});

test.each([["--twice"], ["once"], ["--once", "now"], ["--help"]])("%p is answered with the usage", (...args) => {
  expect(parseOptions(args)).toBeNull();
});
