/** Rules of which replica may answer, for every state that replicas can be in. */
import fc from "fast-check";
import {
  chooseReplica,
  isRead,
  LAG_MS_MAX,
  PrimaryTrack,
  type ReplicaView,
  recordEnd,
  WriteFloors,
} from "../../src/platform/replica-choice";

const lsn = fc.bigInt(0n, 1_000n);
const view = (name: string): fc.Arbitrary<ReplicaView> =>
  fc.record({
    name: fc.constant(name),
    replayed: fc.option(lsn, { nil: null }),
    lagMs: fc.oneof(fc.integer({ min: 0, max: 2 * LAG_MS_MAX }), fc.constant(Number.POSITIVE_INFINITY)),
  });
const views = fc.tuple(view("a"), view("b"), view("c"));
const may = (replica: ReplicaView, floor: bigint) =>
  replica.replayed !== null && replica.replayed >= floor && replica.lagMs <= LAG_MS_MAX;

test("a replica is chosen exactly when one may answer, and never one that lacks what the tenant wrote or is late", () => {
  fc.assert(
    fc.property(views, lsn, fc.string(), (replicas, floor, tenant) => {
      const chosen = chooseReplica(replicas, floor, tenant);
      if (chosen === null) expect(replicas.some((replica) => may(replica, floor))).toBe(false);
      else expect(may(chosen, floor)).toBe(true);
    }),
  );
});

test("a tenant keeps its replica while that may answer, whatever becomes of the others", () => {
  fc.assert(
    fc.property(views, lsn, fc.string(), (replicas, floor, tenant) => {
      const chosen = chooseReplica(replicas, floor, tenant);
      const others = replicas.map((replica) => (replica === chosen ? replica : { ...replica, replayed: null }));
      expect(chooseReplica(others, floor, tenant)).toBe(chosen);
    }),
  );
});

test("tenants spread over the replicas", () => {
  const replicas = ["a", "b"].map((name) => ({ name, replayed: 1n, lagMs: 0 }));
  const first = Array.from({ length: 1_000 }, (_, tenant) => chooseReplica(replicas, 0n, `tenant ${tenant}`)!.name);
  const share = first.filter((name) => name === "a").length;
  expect(share).toBeGreaterThan(400);
  expect(share).toBeLessThan(600);
});

type Step = { tenant: string; lsn: bigint | null } | { raise: bigint | null } | { passMs: number };
const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ tenant: fc.constantFrom("a", "b", "c", "d"), lsn: fc.option(lsn, { nil: null }) }),
    fc.record({ raise: fc.option(lsn, { nil: null }) }),
    fc.record({ passMs: fc.integer({ min: 1, max: 9_000 }) }),
  ),
  { maxLength: 40 },
);

test("a floor is never below what the tenant wrote in the last 30 s, even when there is room for two tenants only", () => {
  fc.assert(
    fc.property(steps, (taken) => {
      let nowMs = 1;
      const floors = new WriteFloors(() => nowMs, 2);
      const acts: { atMs: number; tenant: string | null; lsn: bigint }[] = [];
      for (const step of taken) {
        if ("passMs" in step) nowMs += step.passMs;
        else if ("raise" in step) {
          floors.raise(step.raise);
          acts.push({ atMs: nowMs, tenant: null, lsn: step.raise ?? 1n << 64n });
        } else {
          floors.wrote(step.tenant, step.lsn);
          acts.push({ atMs: nowMs, tenant: step.tenant, lsn: step.lsn ?? 1n << 64n });
        }
        for (const tenant of ["a", "b", "c", "d", null]) {
          for (const act of acts) {
            if (nowMs - act.atMs >= 30_000 || (act.tenant !== null && act.tenant !== tenant)) continue;
            expect(floors.of(tenant) >= act.lsn).toBe(true);
          }
        }
      }
      nowMs += 60_000;
      for (const tenant of ["a", "b", "c", "d", null]) expect(floors.of(tenant)).toBe(0n);
    }),
  );
});

test("not knowing where one wrote lasts 30 s, however often it writes afterwards", () => {
  let nowMs = 1;
  const floors = new WriteFloors(() => nowMs);
  floors.wrote("a", null);
  floors.raise(null);
  for (; nowMs < 29_000; nowMs += 1_000) {
    floors.wrote("a", 5n);
    floors.raise(4n);
    expect(floors.of("a")).toBe(1n << 64n);
    expect(floors.of("b")).toBe(1n << 64n);
  }
  nowMs = 30_001;
  expect(floors.of("a")).toBe(5n);
  expect(floors.of("b")).toBe(4n);
});

test("the lag is how long ago the primary was where the replica is; nobody falls behind a primary that is silent", () => {
  const track = new PrimaryTrack();
  expect(track.lagMs(5n)).toBe(Number.POSITIVE_INFINITY);
  track.saw(1_000, 10n);
  track.saw(1_200, 20n);
  track.saw(1_400, 20n);
  expect(track.lagMs(25n)).toBe(0);
  expect(track.lagMs(20n)).toBe(0);
  expect(track.lagMs(19n)).toBe(400);
  expect(track.lagMs(9n)).toBe(Number.POSITIVE_INFINITY);
  track.saw(20_000, 30n);
  expect(track.lagMs(20n)).toBe(Number.POSITIVE_INFINITY);
  track.saw(20_200, 3n);
  expect(track.lagMs(3n)).toBe(0);
});

test("an insert position behind a page's header is where the record before it ended", () => {
  expect(recordEnd(8_192n * 7n + 24n)).toBe(8_192n * 7n);
  expect(recordEnd(8_192n * 2_048n + 40n)).toBe(8_192n * 2_048n);
  expect(recordEnd(8_192n * 7n + 32n)).toBe(8_192n * 7n + 32n);
});

test("only statements that begin as a reading and name no writing are taken for one", () => {
  for (const text of ["SELECT 1", "  with a AS (SELECT 1) SELECT * FROM a", "SELECT updated_at FROM t"]) {
    expect(isRead(text)).toBe(true);
  }
  for (const text of [
    "INSERT INTO t VALUES (1)",
    "SELECT * FROM t FOR UPDATE",
    "SELECT 1 FROM t FOR NO KEY UPDATE",
    "SELECT * FROM t FOR SHARE",
    "WITH d AS (DELETE FROM t RETURNING 1) SELECT * FROM d",
    "SELECT nextval('s')",
    "BEGIN",
  ]) {
    expect(isRead(text)).toBe(false);
  }
});
