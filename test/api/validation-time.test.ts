/** How long a document may keep us busy before it is refused: time that the machine gave to others does not count. */
import { buildSchema } from "graphql";
import { createDocuments, isRefused } from "../../src/api/documents";

const SECOND_MS = 1_000;

/** Whether a short document is refused when each look at the clock finds a second gone, and this process busy for so long. */
function refusedWhen(busyMs: number): boolean {
  let nowMs = 0;
  jest.spyOn(performance, "now").mockImplementation(() => {
    nowMs += SECOND_MS;
    return nowMs;
  });
  jest.spyOn(process, "cpuUsage").mockReturnValue({ user: busyMs * 1_000, system: 0 });
  return isRefused(createDocuments(buildSchema("type Query { a: Int }"), true).read("{ a }"));
}

afterEach(() => jest.restoreAllMocks());

test("a document is refused that keeps this process busy", () => {
  expect(refusedWhen(SECOND_MS)).toBe(true);
});

test("a document is not refused, nor remembered as bad, because the machine did something else for a while", () => {
  expect(refusedWhen(1)).toBe(false);
});
