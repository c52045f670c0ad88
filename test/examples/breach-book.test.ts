/** The book of the graphql-ws example: right after repeats, gaps and snapshots. */
import { type Book, emptyBook, enter, type Message } from "../../examples/graphql-ws/breach-book";

let clock = 0;
const cursor = () => `cursor-${++clock}`;
const event = (change: "OPENED" | "CLOSED" | "STANDING", id: string): Message => ({
  __typename: "SlaBreachEvent",
  cursor: cursor(),
  change,
  node: {
    id,
    kind: "UPTIME",
    openedAt: "2026-01-15T12:00:00.000Z",
    closedAt: null,
    open: change !== "CLOSED",
    endpoint: { id: "e", name: "North", region: "eu-north", provider: { id: "p", name: "P" } },
    slaTier: { code: "STANDARD" },
    evidence: {
      minute: "2026-01-15T12:00:00.000Z",
      requests: 0,
      failed: 0,
      probes: 0,
      probesFailed: 0,
      ttftSamples: 0,
      within100Ms: 0,
      within200Ms: 0,
      within500Ms: 0,
    },
  },
});
const checkpoint = (): Message => ({ __typename: "StreamCheckpoint", cursor: cursor(), serverTime: "" });
const gap = (reason: "EPOCH_CHANGED" | "SLOW_CONSUMER" | "TRIMMED"): Message => ({
  __typename: "StreamGap",
  cursor: cursor(),
  reason,
  missed: null,
});

function read(messages: readonly Message[], from: Book = emptyBook): { book: Book; news: string[] } {
  return messages.reduce<{ book: Book; news: string[] }>(
    (so, message) => {
      const { book, news } = enter(so.book, message);
      return { book, news: [...so.news, ...news] };
    },
    { book: from, news: [] },
  );
}

it("tells what stands, then every change, and knows what is open", () => {
  const { book, news } = read([event("STANDING", "a"), checkpoint(), event("OPENED", "b"), event("CLOSED", "a")]);
  expect(news).toEqual(["STANDING UPTIME North a", "OPENED UPTIME North b", "CLOSED UPTIME North a"]);
  expect(Object.keys(book.open)).toEqual(["b"]);
  expect(book.cursor).toBe(`cursor-${clock}`);
});

it("tells nothing twice when messages come again", () => {
  const opened = event("OPENED", "a");
  const closed = event("CLOSED", "a");
  expect(read([checkpoint(), opened, opened, closed, closed]).news).toHaveLength(2);
});

it.each(["TRIMMED", "EPOCH_CHANGED"] as const)(
  "after a gap (%s) learns from the snapshot what has closed and opened",
  (reason) => {
    const before = read([checkpoint(), event("OPENED", "a"), event("OPENED", "b")]).book;
    const { book, news } = read([gap(reason), event("STANDING", "b"), event("STANDING", "c"), checkpoint()], before);
    expect(news).toEqual([`GAP ${reason}`, "STANDING UPTIME North c", "CLOSED UPTIME North a"]);
    expect(Object.keys(book.open).sort()).toEqual(["b", "c"]);
    // A checkpoint outside of a snapshot closes nothing.
    expect(read([checkpoint()], book)).toEqual({ book: { ...book, cursor: `cursor-${clock}` }, news: [] });
  },
);

it("keeps what it knows when it was only too slow: nothing is lost behind the cursor", () => {
  const before = read([checkpoint(), event("OPENED", "a")]).book;
  const { book, news } = read([gap("SLOW_CONSUMER"), checkpoint()], before);
  expect([Object.keys(book.open), news]).toEqual([["a"], []]);
});

it("moves its cursor over messages that were added to the schema later", () => {
  const later = { __typename: "StreamNovelty", cursor: "later" } as unknown as Message;
  expect(enter(emptyBook, later)).toEqual({ book: { ...emptyBook, cursor: "later" }, news: [] });
});
