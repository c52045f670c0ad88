/** Seals providers' bank accounts, each value bound to its row and column. */
import { Seal } from "../platform/seal";

/** Where a sealed value belongs: moved elsewhere, it does not open. */
export interface Place {
  readonly rowId: string;
  readonly column: "iban" | "holder";
}

export class AccountSeal {
  private readonly its: Seal;

  constructor(key: Buffer) {
    this.its = new Seal(key);
  }

  seal(text: string, place: Place): Buffer {
    return this.its.seal(Buffer.from(text), nameOf(place));
  }

  /** Errors: when it was sealed with another key, for another place, or was changed. */
  open(sealed: Buffer, place: Place): string {
    return this.its.open(sealed, nameOf(place)).toString();
  }
}

const nameOf = ({ rowId, column }: Place): string => `payout_account:${rowId}:${column}`;
