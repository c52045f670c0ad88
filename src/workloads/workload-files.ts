/** The door to a startup's files: what its jobs read and what they wrote. Nobody else sees them, their providers only what a job needs. */
import { WorkloadFile, type WorkloadFilePurpose } from "../../entities/workload-file";
import { requireKind, type Viewer } from "../accounts/viewer";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError, notFound } from "../platform/errors";
import { isId } from "../platform/ids";
import { transaction } from "../platform/transaction";
import { type FileStore, type FileUpload, forgetContent } from "./file-store";

export interface ListRequest {
  readonly limit: number;
  /** The last one of the page before. */
  readonly after: string | null;
}

export interface ListPage<Row> {
  readonly rows: readonly Row[];
  readonly hasMore: boolean;
}

export class WorkloadFiles {
  constructor(
    private readonly db: Database,
    private readonly clock: Clock,
    private readonly store: FileStore,
    private readonly retentionMs: number,
  ) {}

  /** Errors: UNAUTHENTICATED, FORBIDDEN, BODY_TOO_LARGE. */
  begin(viewer: Viewer | null): Promise<FileUpload> {
    return this.store.begin(requireKind(viewer, "INFER", "STARTUP").organisationId);
  }

  /** Of an upload that is whole. `keepMs` null: for as long as files are kept. */
  finish(
    upload: FileUpload,
    file: { purpose: "BATCH" | "FINE_TUNE"; filename: string; keepMs: number | null },
  ): Promise<WorkloadFile> {
    const { keepMs, ...as } = file;
    return upload.finish({ ...as, expiresAt: new Date(this.clock.nowMs() + (keepMs ?? this.retentionMs)) });
  }

  /** Newest first, unless `oldestFirst`. Errors: UNAUTHENTICATED, FORBIDDEN. */
  async list(
    viewer: Viewer | null,
    page: ListRequest & { purpose: WorkloadFilePurpose | null; oldestFirst: boolean },
  ): Promise<ListPage<WorkloadFile>> {
    const { organisationId: startupId } = requireKind(viewer, "INFER", "STARTUP");
    const { purpose, oldestFirst, after, limit } = page;
    const query = this.db.source.getRepository(WorkloadFile).createQueryBuilder("f");
    query.where("f.startupId = :startupId AND f.deletedAt IS NULL", { startupId });
    if (purpose !== null) query.andWhere("f.purpose = :purpose", { purpose });
    if (after !== null) query.andWhere(oldestFirst ? "f.id > :after" : "f.id < :after", { after });
    const rows = await query
      .orderBy("f.id", oldestFirst ? "ASC" : "DESC")
      .limit(limit + 1)
      .getMany();
    return { rows: rows.slice(0, limit), hasMore: rows.length > limit };
  }

  /** Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND. */
  async one(viewer: Viewer | null, id: string, field = "file_id"): Promise<WorkloadFile> {
    const { organisationId: startupId } = requireKind(viewer, "INFER", "STARTUP");
    const files = this.db.source.getRepository(WorkloadFile);
    const file = isId(id) ? await files.findOneBy({ id, startupId }) : null;
    if (file === null || file.deletedAt !== null) throw notFound("file", field);
    return file;
  }

  /** Of a file that `one` has answered. */
  content(file: WorkloadFile): AsyncGenerator<Buffer> {
    return this.store.content(file);
  }

  /** Its bytes are gone at once. Errors: UNAUTHENTICATED, FORBIDDEN, NOT_FOUND; STATE_CONFLICT while a job needs it. */
  async remove(viewer: Viewer | null, id: string): Promise<WorkloadFile> {
    const file = await this.one(viewer, id);
    await transaction(this.db, async (tx) => {
      // A job that is made now waits for this, and finds the file gone.
      await tx.query("SELECT FROM workload_file WHERE id = $1 FOR UPDATE", [file.id]);
      const [busy] = await tx.query(
        `SELECT FROM workload_job WHERE ended_at IS NULL AND startup_id = $2
            AND $1 IN (input_file_id, validation_file_id, output_file_id, error_file_id) LIMIT 1`,
        [file.id, file.startupId],
      );
      if (busy !== undefined)
        throw new DomainError("STATE_CONFLICT", "A job that has not ended needs this file: cancel the job first.");
      await tx.update(WorkloadFile, { id: file.id }, { deletedAt: this.clock.now() });
      await forgetContent(tx, file.id);
    });
    return file;
  }
}
