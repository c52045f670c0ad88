import { generateKeyPairSync, sign, verify } from "node:crypto";
import { ed25519Signer } from "../../src/upstreams/ed25519";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");

test("libsodium signs as OpenSSL does, byte for byte, so that a machine without it mints the same tokens", () => {
  const signText = ed25519Signer(privateKey);
  for (const length of [0, 1, 31, 64, 600, 20_000]) {
    const text = Buffer.alloc(length, length);
    const signature = Buffer.from(signText(text));
    expect(signature.equals(sign(null, text, privateKey))).toBe(true);
    expect(verify(null, text, publicKey, signature)).toBe(true);
  }
});

test("two signers keep their keys apart", () => {
  const other = generateKeyPairSync("ed25519");
  const [first, second] = [ed25519Signer(privateKey), ed25519Signer(other.privateKey)];
  const text = Buffer.from("one text");
  const bySecond = Buffer.from(second(text));
  expect(verify(null, text, publicKey, first(text))).toBe(true);
  expect(verify(null, text, other.publicKey, bySecond)).toBe(true);
});

test("where libsodium is not installed, OpenSSL signs", () => {
  jest.isolateModules(() => {
    jest.doMock("sodium-native", () => {
      throw new Error("no binary for this system");
    });
    const { ed25519Signer: withoutSodium } =
      require("../../src/upstreams/ed25519") as typeof import("../../src/upstreams/ed25519");
    const text = Buffer.from("one text");
    expect(withoutSodium(privateKey)(text).equals(sign(null, text, privateKey))).toBe(true);
  });
});
