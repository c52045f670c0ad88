/** Prints every SLA breach of your organisation as it opens and closes, once; goes on where it was after a restart. */
import { BookFile } from "./book-file";
import { enter } from "./breach-book";
import { followBreaches } from "./breach-stream";

const {
  EXERGY_URL: url = "http://localhost:4000/graphql",
  EXERGY_KEY: key,
  EXERGY_BOOK = "breaches.json",
} = process.env;

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function main(apiKey: string): void {
  const file = new BookFile(EXERGY_BOOK);
  let book = file.read();
  const stream = followBreaches({
    url,
    key: apiKey,
    after: book.cursor,
    onConnection: (state) => console.error(state),
    onMessage(message) {
      const entered = enter(book, message);
      // Put your pager here. Before the file: after a crash between the two the news is told again, never not at all.
      for (const line of entered.news) console.log(line);
      book = entered.book;
      file.write(book);
    },
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stream.stop());
  stream.ended.catch(fail);
}

if (key) main(key);
else fail(new Error("Set EXERGY_KEY to an API key of a provider, and EXERGY_URL to the address of the API."));
