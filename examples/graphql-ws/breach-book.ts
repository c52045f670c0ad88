/** Which breaches are open, as the stream tells it: pure, and right after any number of repeats, gaps and restarts. */
import type { SlaBreachChangesSubscription } from "../../codegen/generated/graphql";

export type Message = SlaBreachChangesSubscription["slaBreaches"];

export interface Book {
  /** Of the last message in it; null: nothing was received yet. */
  readonly cursor: string | null;
  /** What is open, by id. */
  readonly open: Readonly<Record<string, string>>;
  /** While a snapshot is told: the ids that it has named so far. Null when the book is whole. */
  readonly named: readonly string[] | null;
}

export const emptyBook: Book = { cursor: null, open: {}, named: [] };

/** The book with the message in it, and what is new for whoever reads it, a line each. */
export function enter(book: Book, message: Message): { book: Book; news: readonly string[] } {
  const { cursor } = message;
  switch (message.__typename) {
    case "SlaBreachEvent":
      return enterEvent({ ...book, cursor }, message);
    case "StreamGap":
      // After SLOW_CONSUMER nothing is lost: the stream goes on behind the cursor. Otherwise what happened in between is not
      // told; a snapshot of what stands now comes next.
      return message.reason === "SLOW_CONSUMER"
        ? { book: { ...book, cursor }, news: [] }
        : { book: { ...book, cursor, named: [] }, news: [`GAP ${message.reason}`] };
    case "StreamCheckpoint":
      // Everything up to here has been told, so a snapshot is complete. Without one, only the cursor moves.
      return book.named === null
        ? { book: { ...book, cursor }, news: [] }
        : enterEndOfSnapshot({ ...book, cursor }, book.named);
    default:
      // A kind of message that the schema got after this was written: its cursor counts, the rest is for a newer version.
      return { book: { ...book, cursor: (message as Message).cursor }, news: [] };
  }
}

function enterEvent(book: Book, { change, node }: Extract<Message, { __typename: "SlaBreachEvent" }>) {
  const { [node.id]: known, ...others } = book.open;
  const line = `${node.kind} ${node.endpoint.name} ${node.id}`;
  const news = [`${change} ${line}`];
  if (change === "CLOSED") return { book: { ...book, open: others }, news: known === undefined ? [] : news };
  const named = book.named === null ? null : [...book.named, node.id];
  return { book: { ...book, open: { ...others, [node.id]: line }, named }, news: known === undefined ? news : [] };
}

/** What we took for open and the snapshot does not name has closed while we did not listen. */
function enterEndOfSnapshot(book: Book, named: readonly string[]) {
  const entries = Object.entries(book.open);
  const open = Object.fromEntries(entries.filter(([id]) => named.includes(id)));
  const news = entries.filter(([id]) => !named.includes(id)).map(([, line]) => `CLOSED ${line}`);
  return { book: { ...book, open, named: null }, news };
}
