/** Capacity windows on PostgreSQL: what may be opened, by whom, and that the database reads time as the rules do. */

import type { Viewer } from "../../src/accounts/viewer";
import { Capacity } from "../../src/capacity/capacity";
import { covers } from "../../src/capacity/window-rules";
import { Outbox } from "../../src/events/outbox";
import { openWorld, refusal, type World } from "../accounts/a-world";

let world: World;
let capacity: Capacity;
let provider: Viewer;

const hours = (count: number) => new Date(world.clock.nowMs() + count * 3_600_000);
const aWindow = (changes: object = {}) => ({
  accelerator: "H100",
  region: "eu-north",
  zone: "eu-north-a",
  kind: "BASELINE" as const,
  gpuCount: 8,
  startsAt: hours(0),
  ...changes,
});

beforeAll(async () => {
  world = await openWorld();
  capacity = new Capacity({ ...world, outbox: new Outbox(world.db, world.bus, world.clock) });
  provider = await world.a("PROVIDER");
});
afterAll(() => world.close());

test("maintenance has to end, a window ends after it starts and within 366 days", async () => {
  const open = (changes: object) => refusal(capacity.openWindow(provider, aWindow(changes)));
  expect(await open({ kind: "MAINTENANCE" })).toBe("BAD_USER_INPUT endsAt");
  expect(await open({ endsAt: hours(0) })).toBe("BAD_USER_INPUT endsAt");
  expect(await open({ endsAt: hours(366 * 24 + 1) })).toBe("BAD_USER_INPUT endsAt");
  expect(await open({ endsAt: hours(366 * 24) })).toBe("nothing");
  expect(await open({ gpuCount: 0 })).toBe("BAD_USER_INPUT gpuCount");
  expect(await open({ accelerator: "MI300X" })).toBe("BAD_USER_INPUT accelerator");
  expect(await open({ startsAt: new Date(Number.NaN) })).toBe("BAD_USER_INPUT startsAt");
});

test("windows are opened and cancelled by their provider or an operator, and routing hears of it", async () => {
  const { operator } = world;
  const [stranger, startup] = [await world.a("PROVIDER"), await world.a("STARTUP")];
  expect(await refusal(capacity.openWindow(startup, aWindow()))).toBe("FORBIDDEN");
  expect(await refusal(capacity.openWindow(operator, aWindow({ providerId: startup.organisationId })))).toBe(
    "NOT_FOUND providerId",
  );
  expect(await world.published("supply.changed", () => capacity.openWindow(provider, aWindow()))).toBe(1);
  const window = await capacity.openWindow(operator, aWindow({ providerId: provider.organisationId }));
  expect(window.providerId).toBe(provider.organisationId);

  expect(await refusal(capacity.cancelWindow(stranger, window.id))).toBe("NOT_FOUND");
  expect(await refusal(capacity.cancelWindow(provider, window.id, 2))).toBe("VERSION_CONFLICT expectedVersion");
  const cancelled = await capacity.cancelWindow(provider, window.id, 1);
  expect(cancelled).toMatchObject({ cancelledAt: world.clock.now(), version: 2 });
  world.clock.advanceMs(1_000);
  expect(await capacity.cancelWindow(provider, window.id)).toMatchObject({
    cancelledAt: cancelled.cancelledAt,
    version: 2,
  });

  const over = await capacity.openWindow(provider, aWindow({ startsAt: hours(-2), endsAt: hours(-1) }));
  expect(await refusal(capacity.cancelWindow(provider, over.id))).toBe("STATE_CONFLICT");
});

test("the windows that the database finds active are those that the rule says cover the instant, at every edge", async () => {
  const mine = await world.a("PROVIDER");
  const spans = [
    { endsAt: hours(2) },
    { startsAt: hours(1), endsAt: hours(2) },
    { startsAt: hours(2) },
    { kind: "BURST", startsAt: hours(-1), endsAt: hours(1) },
    { kind: "MAINTENANCE", startsAt: hours(1), endsAt: hours(3) },
  ];
  const windows = [];
  for (const span of spans) windows.push(await capacity.openWindow(mine, aWindow(span)));
  windows[0] = await capacity.cancelWindow(mine, windows[0]!.id);
  for (const instant of [-1, 0, 0.5, 1, 1.5, 2, 2.5, 3].map(hours)) {
    const expected = windows.filter((window) => covers(window, instant)).map(({ id }) => id);
    const found = (await capacity.activeWindows(instant)).filter((row) => row.providerId === mine.organisationId);
    expect(found.map(({ id }) => id).toSorted()).toEqual(expected.toSorted());
    const listed = await capacity.windows(mine, {}, { activeAt: instant });
    expect(listed.rows.map(({ id }) => id).toSorted()).toEqual(expected.toSorted());
  }
});

test("lists are a provider's own or an operator's all, filtered; startups get none", async () => {
  const mine = await world.a("PROVIDER");
  const window = await capacity.openWindow(mine, aWindow({ region: "ap-east", accelerator: "A100", kind: "BURST" }));
  const filter = { region: "ap-east", accelerator: "A100", kind: "BURST" as const };
  expect((await capacity.windows(world.operator, {}, filter)).rows.map(({ id }) => id)).toEqual([window.id]);
  expect((await capacity.windows(mine, {}, { kind: "BASELINE" })).rows).toEqual([]);
  expect((await capacity.windows(provider, {}, filter)).rows).toEqual([]);
  expect(await refusal(capacity.windows(provider, {}, { providerId: mine.organisationId }))).toBe("NOT_FOUND");
  expect(await refusal(capacity.windows(await world.a("STARTUP"), {}))).toBe("FORBIDDEN");
});
