/** The form of a secret, and what a key cache may remember. */
import { digestOf, isWellFormed, makeSecret, prefixOf } from "../../src/accounts/api-keys";
import { type FoundKey, KeyCache } from "../../src/accounts/key-cache";
import { TestClock } from "../support/clock";
import { viewerOf } from "./a-world";

test("a secret is exg_, forty random characters and six of checksum, and no two are alike", () => {
  const secrets = Array.from({ length: 500 }, makeSecret);
  for (const secret of secrets) {
    expect(secret).toMatch(/^exg_[0-9A-Za-z]{46}$/);
    expect(isWellFormed(secret)).toBe(true);
  }
  expect(new Set(secrets).size).toBe(secrets.length);
  expect(prefixOf("exg_12345678rest")).toBe("exg_12345678");
});

test("the checksum never changes, or every key in use would be refused", () => {
  const body = `exg_${"0".repeat(40)}`;
  expect(isWellFormed(`${body}2aDtPa`)).toBe(true);
});

test("any changed character, a cut, an addition or another alphabet is no key", () => {
  const secret = makeSecret();
  for (let position = 0; position < secret.length; position++) {
    const other = secret[position] === "x" ? "y" : "x";
    expect(isWellFormed(secret.slice(0, position) + other + secret.slice(position + 1))).toBe(false);
  }
  for (const text of [
    "",
    "exg_",
    secret.slice(1),
    secret.slice(0, -1),
    `${secret}0`,
    ` ${secret}`,
    `${secret}\n`,
    "é".repeat(50),
  ]) {
    expect(isWellFormed(text)).toBe(false);
  }
});

test("the digest depends on the pepper", () => {
  const secret = makeSecret();
  const digest = digestOf(secret, Buffer.from("one"));
  expect(digest).toHaveLength(32);
  expect(digestOf(secret, Buffer.from("one")).equals(digest)).toBe(true);
  expect(digestOf(secret, Buffer.from("two")).equals(digest)).toBe(false);
});

describe("the key cache", () => {
  const digest = Buffer.from("a digest");
  const viewer = viewerOf("STARTUP", "s");
  const clock = new TestClock();
  let found: FoundKey | null;
  let searches: number;
  const cache = () => {
    searches = 0;
    return new KeyCache(async () => {
      searches += 1;
      return found;
    }, clock);
  };

  test("knows a key for four seconds and a stranger for one", async () => {
    const keys = cache();
    found = { viewer, expiresAt: null };
    expect(keys.peek(digest)).toBeUndefined();
    expect(await keys.resolve(digest)).toBe(viewer);
    clock.advanceMs(3_999);
    expect(keys.peek(digest)).toBe(viewer);
    clock.advanceMs(1);
    expect(keys.peek(digest)).toBeUndefined();

    found = null;
    const stranger = Buffer.from("another");
    expect(await keys.resolve(stranger)).toBeNull();
    clock.advanceMs(999);
    expect(keys.peek(stranger)).toBeNull();
    clock.advanceMs(1);
    expect(keys.peek(stranger)).toBeUndefined();
  });

  test("a key that expires while it is remembered is refused from that instant", async () => {
    const keys = cache();
    found = { viewer, expiresAt: new Date(clock.nowMs() + 1_000) };
    expect(await keys.resolve(digest)).toBe(viewer);
    clock.advanceMs(999);
    expect(keys.peek(digest)).toBe(viewer);
    clock.advanceMs(1);
    expect(keys.peek(digest)).toBeNull();
  });

  test("many at once with the same key cost one query", async () => {
    const keys = cache();
    found = { viewer, expiresAt: null };
    await Promise.all(Array.from({ length: 50 }, () => keys.resolve(digest)));
    expect(searches).toBe(1);
  });

  test("what a query brings that began before a revocation is not remembered, nor shared with who comes after", async () => {
    let answer: (key: FoundKey | null) => void = () => undefined;
    const keys = new KeyCache(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
      clock,
    );
    const before = keys.resolve(digest);
    const answerBefore = answer;
    keys.clear();
    const after = keys.resolve(digest);
    answerBefore({ viewer, expiresAt: null });
    expect(await before).toBe(viewer);
    expect(keys.peek(digest)).toBeUndefined();
    answer(null);
    expect(await after).toBeNull();
    expect(keys.peek(digest)).toBeNull();
  });
});
