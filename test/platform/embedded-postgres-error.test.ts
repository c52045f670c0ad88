import { EmbeddedPostgresError, explain, explained } from "../../src/platform/embedded-postgres-error";

/** As the file system and PostgreSQL's programs word it. */
test.each([
  ["EACCES: permission denied, scandir '/srv/pg'", "permission denied: give the directory to the user"],
  ['FATAL:  data directory "/srv/pg" has wrong ownership', "permission denied: give the directory to the user"],
  ["FATAL:  could not write to file: No space left on device", "the disk is full: free some space"],
  ["HINT:  Check free disk space.", "the disk is full: free some space"],
  ["EROFS: read-only file system, mkdir '/srv'", "the file system is read-only: choose another directory"],
  ["initdb: error: could not look up effective user ID 4242: user does not exist", "has no name in /etc/passwd"],
  ["FATAL:  database files are incompatible with server", "of another PostgreSQL version: install that version"],
  ["FATAL:  could not map anonymous shared memory: Cannot allocate memory", "not enough memory: free some"],
  ["ENOTDIR: not a directory, mkdir '/srv/file/pg'", "a file is in place of a directory: move it away"],
])("%s becomes a sentence that says what to do", (words, sentence) => {
  const error = explain(new Error(words), "/srv/pg");
  expect(error).toBeInstanceOf(EmbeddedPostgresError);
  expect(error.message).toContain("/srv/pg");
  expect(error.message).toContain(sentence);
  expect(error.message).toContain("or set DATABASE_URL");
  expect((error.cause as Error).message).toBe(words);
});

test("what a program wrote to its error output counts, not only that it failed", () => {
  const failure = Object.assign(new Error("Command failed: initdb"), { stderr: "No space left on device" });
  expect(explain(failure, "/srv/pg").message).toContain("the disk is full");
});

test("an unknown failure is shown in its own last words", () => {
  const words = Array.from({ length: 9 }, (_, index) => `line ${index}`).join("\n");
  expect(explain(words, "/srv/pg").message).toMatch(/does not run; its last words:\nline 4\n.*line 8$/s);
});

test("a sentence is not explained a second time", () => {
  const sentence = new EmbeddedPostgresError("no programs: set DATABASE_URL");
  const again = () =>
    explained("/srv", () => {
      throw sentence;
    });
  expect(again).toThrow(sentence);
});
