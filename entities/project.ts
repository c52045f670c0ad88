/** API keys of a startup that belong together, to be budgeted as one. */
import { Entity, Index } from "typeorm";
import { At, Id, Int, Ref, Text } from "./columns";

@Entity("project")
@Index("project_startup_name_key", ["startupId", "name"], { unique: true, where: "archived_at IS NULL" })
export class Project {
  @Id() id!: string;
  @Ref("Organisation") startupId!: string;
  @Text() name!: string;
  @At() createdAt!: Date;
  @At({ nullable: true }) archivedAt!: Date | null;
  @Int() version!: number;
}
