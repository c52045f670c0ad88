/** Seals what a stolen copy of the database must not tell: AES-256-GCM, each value bound to its row and column. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** Where a sealed value belongs: moved elsewhere, it does not open. */
export interface Place {
  readonly rowId: string;
  readonly column: "iban" | "holder";
}

export class AccountSeal {
  constructor(private readonly key: Buffer) {
    if (key.length !== KEY_BYTES) throw new RangeError(`a sealing key has ${KEY_BYTES} bytes, this has ${key.length}`);
  }

  /** Version, nonce, tag, text. The nonce is new each time: a value that is sealed twice looks different. */
  seal(text: string, place: Place): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", this.key, nonce).setAAD(bindingOf(place));
    const sealed = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), sealed]);
  }

  /** Errors: when it was sealed with another key, for another place, or was changed. */
  open(sealed: Buffer, place: Place): string {
    if (sealed[0] !== VERSION) throw new Error(`a value sealed by version ${sealed[0]} cannot be opened`);
    const nonceEnd = 1 + NONCE_BYTES;
    const tagEnd = nonceEnd + TAG_BYTES;
    const decipher = createDecipheriv("aes-256-gcm", this.key, sealed.subarray(1, nonceEnd), {
      authTagLength: TAG_BYTES,
    })
      .setAAD(bindingOf(place))
      .setAuthTag(sealed.subarray(nonceEnd, tagEnd));
    return Buffer.concat([decipher.update(sealed.subarray(tagEnd)), decipher.final()]).toString("utf8");
  }
}

const bindingOf = ({ rowId, column }: Place): Buffer => Buffer.from(`payout_account:${rowId}:${column}`);
