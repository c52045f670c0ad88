/** Signs with Ed25519: by libsodium where its binary fits this machine, because OpenSSL takes more than twice as long; else by OpenSSL. */
import { type KeyObject, sign } from "node:crypto";

export type Sign = (text: Buffer) => Buffer;

/** What is used of `sodium-native`, an optional dependency without types. */
interface Sodium {
  crypto_sign_BYTES: number;
  crypto_sign_PUBLICKEYBYTES: number;
  crypto_sign_SECRETKEYBYTES: number;
  sodium_malloc(bytes: number): Buffer;
  crypto_sign_seed_keypair(publicKey: Buffer, secretKey: Buffer, seed: Buffer): void;
  crypto_sign_detached(signature: Buffer, text: Buffer, secretKey: Buffer): void;
}

/**
 * The same bytes either way: Ed25519 signatures are determined by key and text (RFC 8032). Measured on 2 shared cores, Node
 * 20.20: 23 µs a signature by libsodium, 52 by OpenSSL 3.0, whose field arithmetic is that of 32-bit machines.
 */
export function ed25519Signer(privateKey: KeyObject): Sign {
  const openssl: Sign = (text) => sign(null, text, privateKey);
  const sodium = loadSodium();
  if (sodium === null) return openssl;
  const libsodium = sodiumSigner(sodium, privateKey);
  const probe = Buffer.from("Both must sign alike.");
  return libsodium(probe).equals(openssl(probe)) ? libsodium : openssl;
}

function sodiumSigner(sodium: Sodium, privateKey: KeyObject): Sign {
  const seed = Buffer.from(privateKey.export({ format: "jwk" }).d ?? "", "base64url");
  const publicKey = Buffer.alloc(sodium.crypto_sign_PUBLICKEYBYTES);
  // Memory that is locked, fenced, and in no heap snapshot.
  const secretKey = sodium.sodium_malloc(sodium.crypto_sign_SECRETKEYBYTES);
  sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed);
  seed.fill(0);
  // Whoever gets it writes it out as text at once, before anything else can be signed.
  const signature = Buffer.alloc(sodium.crypto_sign_BYTES);
  return (text) => {
    sodium.crypto_sign_detached(signature, text, secretKey);
    return signature;
  };
}

/** Null where its binary is missing: it was not installed, or nobody built one for this system. */
function loadSodium(): Sodium | null {
  try {
    return require("sodium-native") as Sodium;
  } catch {
    return null;
  }
}
