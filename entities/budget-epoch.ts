/** How often it changed what the keys of a startup are under: a relay that has missed a change is lent nothing. */
import { Entity, PrimaryColumn } from "typeorm";
import { Flag, Int } from "./columns";

@Entity("budget_epoch")
export class BudgetEpoch {
  @PrimaryColumn("uuid") startupId!: string;
  @Int() epoch!: number;
  /** Whether it has a budget at all. */
  @Flag() standing!: boolean;
}
