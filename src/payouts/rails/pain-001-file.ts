/** Payments as ISO 20022 files in a directory, from where an operator carries them to a bank and tells what became of them. */
import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkBic, checkIban } from "../iban";
import { type Debtor, idOf, pain001Document } from "./pain-001-document";
import type { PaymentBatch, PayoutRail, Submission } from "./rail";

/** A file is written within milliseconds; whoever takes longer has died. */
const RESUMES_AFTER_MS = 60_000;

export class Pain001FileRail implements PayoutRail {
  readonly kind = "PAIN_001";
  readonly resumesAfterMs = RESUMES_AFTER_MS;
  private readonly debtor: Debtor;

  /** Errors: BAD_USER_INPUT when the debtor's IBAN or BIC cannot be right. */
  constructor(
    private readonly directory: string,
    debtor: Debtor,
  ) {
    this.debtor = { name: debtor.name, iban: checkIban(debtor.iban), bic: checkBic(debtor.bic) };
  }

  /** One file per batch, under the batch's name: written again after a crash, it is the same file with the same MsgId. */
  async submit(batch: PaymentBatch): Promise<Submission[]> {
    const name = `pain.001-${idOf(batch.id)}.xml`;
    try {
      await this.write(name, pain001Document(batch, this.debtor));
      return batch.orders.map(({ key }) => ({ key, result: "ACCEPTED", reference: name }));
    } catch (fault) {
      return batch.orders.map(({ key }) => ({ key, result: "UNKNOWN", fault }));
    }
  }

  /** Whoever collects files must never see half of one, nor one that a power cut takes back. */
  private async write(name: string, text: string): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const draft = join(this.directory, `.${name}.${randomBytes(6).toString("hex")}`);
    try {
      const handle = await open(draft, "wx", 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(draft, join(this.directory, name));
      const directory = await open(this.directory, "r");
      await directory.sync().finally(() => directory.close());
    } finally {
      await rm(draft, { force: true });
    }
  }
}
