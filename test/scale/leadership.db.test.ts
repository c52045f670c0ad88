import { Client } from "pg";
import { type Leadership, openLeadership } from "../../src/platform/leadership";
import { createLog } from "../../src/platform/log";
import { inTurn } from "../../src/platform/turn";
import { until, watchResources } from "../support/leftovers";
import { createTestDatabase, type TestDatabase } from "../support/template-database";

let database: TestDatabase;
let admin: Client;
let nothingLeft: () => Promise<void>;
const open: Leadership[] = [];
const logged: string[] = [];
const log = createLog({ level: "info", write: (line) => void logged.push(line) });

beforeAll(async () => {
  nothingLeft = watchResources();
  database = await createTestDatabase();
  admin = new Client(database.url);
  await admin.connect();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((leadership) => leadership.stop()));
});
afterAll(async () => {
  await admin.end();
  await database.drop();
  await nothingLeft();
});

async function candidate(name: string, url = database.url): Promise<Leadership> {
  const leadership = await openLeadership({ url, name, log, beatMs: 20 });
  open.push(leadership);
  return leadership;
}

async function sessionsOf(name: string): Promise<number[]> {
  const { rows } = await admin.query("SELECT pid FROM pg_stat_activity WHERE application_name = $1", [
    `exergy leader ${name}`,
  ]);
  return rows.map(({ pid }) => pid);
}

async function leaderOf(name: string): Promise<number | undefined> {
  const { rows } = await admin.query(
    `SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE l.locktype = 'advisory' AND l.granted AND a.application_name = $1`,
    [`exergy leader ${name}`],
  );
  return rows[0]?.pid;
}

test("who comes first leads at once, the others do not, and one of them follows when it stops", async () => {
  const first = await candidate("a");
  expect(first.held()).toBe(true);
  const others = [await candidate("a"), await candidate("a")];
  expect(others.map((other) => other.held())).toEqual([false, false]);
  await first.stop();
  expect(first.held()).toBe(false);
  await until("one follows", () => others.filter((other) => other.held()).length === 1);
});

test("those who compete for something else do not compete", async () => {
  expect((await candidate("b")).held()).toBe(true);
  expect((await candidate("c")).held()).toBe(true);
});

test("a leader whose connection is killed leads no more, and another one does", async () => {
  const leader = await candidate("d");
  const follower = await candidate("d");
  await admin.query("SELECT pg_terminate_backend($1)", [await leaderOf("d")]);
  await until("it knows", () => !leader.held() || follower.held());
  await until("one leads", () => leader.held() !== follower.held());
  await until("both compete again", async () => (await sessionsOf("d")).length === 2);
});

test("killed again and again, never two lead by the database, and always one does in the end", async () => {
  const candidates = [await candidate("e"), await candidate("e"), await candidate("e")];
  for (let round = 0; round < 10; round += 1) {
    const leader = await until("there is a leader", () => leaderOf("e"));
    await admin.query("SELECT pg_terminate_backend($1)", [leader]);
    await until("exactly one leads", async () => {
      const now = await leaderOf("e");
      return now !== undefined && now !== leader && candidates.filter(({ held }) => held()).length === 1;
    });
  }
});

test("without a database nobody leads, it is said once, and who waits leads when it comes", async () => {
  logged.length = 0;
  const nowhere = await candidate("f", "postgres://nobody@127.0.0.1:1/nowhere");
  expect(nowhere.held()).toBe(false);
  await nowhere.stop();
  expect(logged.filter((line) => line.includes("cannot compete"))).toHaveLength(1);
});

test("work in turn is done by one at a time, and a failure gives the turn on", async () => {
  let inside = 0;
  let most = 0;
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await admin.query("SELECT pg_sleep(0.02)");
    inside -= 1;
    return inside;
  };
  const failing = inTurn(database.url, "work", async () => {
    await work();
    throw new Error("failed in its turn");
  });
  const turns = Array.from({ length: 5 }, () => inTurn(database.url, "work", work));
  await expect(failing).rejects.toThrow("failed in its turn");
  expect(await Promise.all(turns)).toEqual([0, 0, 0, 0, 0]);
  expect(most).toBe(1);
});
