/** Seals what a stolen copy of the database must not tell: AES-256-GCM, each value bound to the place that it was sealed for. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const nonceEnd = 1 + NONCE_BYTES;
const tagEnd = nonceEnd + TAG_BYTES;

export class Seal {
  constructor(private readonly key: Buffer) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a sealing key has ${KEY_BYTES} bytes, this has ${key.length}`);
  }

  /** Version, nonce, tag, text. The nonce is new each time: a value that is sealed twice looks different. */
  seal(plain: Buffer, place: string): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.key, nonce).setAAD(Buffer.from(place));
    const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
    return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), sealed]);
  }

  /** Errors: when it was sealed with another key, for another place, or was changed. */
  open(sealed: Buffer, place: string): Buffer {
    if (sealed[0] !== VERSION) throw new Error(`a value sealed by version ${sealed[0]} cannot be opened`);
    const decipher = createDecipheriv("aes-256-gcm", this.key, sealed.subarray(1, nonceEnd), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(Buffer.from(place))
      .setAuthTag(sealed.subarray(nonceEnd, tagEnd));
    return Buffer.concat([decipher.update(sealed.subarray(tagEnd)), decipher.final()]);
  }
}
