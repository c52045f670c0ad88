/** Keeps the book in a file: what is known and the cursor up to which it is known change together or not at all. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { type Book, emptyBook } from "./breach-book";

export class BookFile {
  constructor(private readonly path: string) {}

  /** The empty book when there is no file yet. */
  read(): Book {
    try {
      return JSON.parse(readFileSync(this.path, "utf8")) as Book;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return emptyBook;
      throw error;
    }
  }

  /** A crash in the middle leaves the book before it. */
  write(book: Book): void {
    const draft = `${this.path}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(book));
    renameSync(draft, this.path);
  }
}
