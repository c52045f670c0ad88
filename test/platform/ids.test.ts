import { isId, newId } from "../../src/platform/ids";

test("ids made one after the other sort in that order, even within a millisecond", () => {
  const ids = Array.from({ length: 5_000 }, newId);
  expect([...ids].sort()).toEqual(ids);
  expect(new Set(ids).size).toBe(ids.length);
});

test("every id made is an id, version 7", () => {
  const id = newId();
  expect(isId(id)).toBe(true);
  expect(id[14]).toBe("7");
});

test.each([
  "",
  "019c",
  "019C0B6E-7C5A-7000-8000-000000000000",
  "{019c0b6e-7c5a-7000-8000-000000000000}",
  "019c0b6e-7c5a-7000-8000-00000000000\n0",
  "019c0b6e-7c5a-7000-8000-000000000000\n",
])("%j is refused, because PostgreSQL would print it differently or not take it", (text) => {
  expect(isId(text)).toBe(false);
});
