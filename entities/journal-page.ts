/** A run of transfers that was written up together: their entries' digests, chained by hash to the page before. */
import { Column, Entity, Index, PrimaryColumn } from "typeorm";
import { At, Big, Int } from "./columns";

@Entity("journal_page")
@Index("journal_page_booked", ["bookedHigh"])
@Index("journal_page_recorded", ["recordedHigh"])
export class JournalPage {
  /** Counts from 1, without a gap. */
  @PrimaryColumn("bigint") number!: string;
  @Big() firstSeq!: bigint;
  @Big() lastSeq!: bigint;
  @Int() transfers!: number;
  /** Earliest and latest booking on it, and the latest on it and all pages before. */
  @At() bookedFrom!: Date;
  @At() bookedTo!: Date;
  @At() bookedHigh!: Date;
  /** The latest recording on it and all pages before: never falls, even where a clock was set back. */
  @At() recordedHigh!: Date;
  /** One line per transfer, in the order of `seq`; entities/journal-text.ts says what each digest is of. */
  @Column("bigint", { array: true }) seqs!: string[];
  @Column("uuid", { array: true }) transferIds!: string[];
  @Column("bytea", { array: true }) transferDigests!: Buffer[];
  @Column("bytea", { array: true }) debitDigests!: Buffer[];
  @Column("bytea", { array: true }) creditDigests!: Buffer[];
  /** Of the page before; 32 zero bytes on the first. */
  @Column("bytea") previousHash!: Buffer;
  @Column("bytea") hash!: Buffer;
  @At() writtenAt!: Date;
}
