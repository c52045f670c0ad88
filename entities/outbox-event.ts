/** A durable event, written in the transaction of the act and given its place in the stream by the publisher. */
import { Column, Entity, Index } from "typeorm";
import { At, Big, Id, Json, Text } from "./columns";

@Entity("outbox_event")
@Index("outbox_event_position_key", ["position"], { unique: true, where: "position IS NOT NULL" })
@Index("outbox_event_waiting", ["id"], { where: "position IS NULL" })
export class OutboxEvent {
  @Id() id!: string;
  @Text() topic!: string;
  /** The organisation whose business it is: the partition of the stream. */
  @Column("uuid") organisationId!: string;
  @Json() payload!: Record<string, unknown>;
  @At() createdAt!: Date;
  /** Null until published. One publisher at a time assigns it, so positions become visible in order. */
  @Big({ nullable: true }) position!: bigint | null;
}
