/** Files in PostgreSQL, in chunks: written as they come in, read back piece by piece, so that any provider can be given them later. */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import type { EntityManager } from "typeorm";
import { WorkloadFile, type WorkloadFilePurpose } from "../../entities/workload-file";
import { WorkloadFileChunk } from "../../entities/workload-file-chunk";
import type { Clock } from "../platform/clock";
import type { Database } from "../platform/database";
import { DomainError } from "../platform/errors";
import { newId } from "../platform/ids";
import { transaction } from "../platform/transaction";
import type { BatchOperations } from "./batch-operation";
import { FileReader } from "./file-reader";

/** What is known of an upload when its last byte has come: its purpose may be told after its bytes. */
export interface UploadedFile {
  readonly purpose: "BATCH" | "FINE_TUNE";
  readonly filename: string;
  readonly expiresAt: Date;
}

export interface FileLimits {
  readonly fileLimitBytes: number;
  readonly storageLimitBytes: number;
}

const CHUNK_BYTES = 1_048_576;
/** Some hundred requests of a batch: milliseconds. */
const READ_BYTES = 65_536;
/** Uploads that never ended are swept away after this. */
const ABANDONED_MS = 3_600_000;
const SWEEP_FILES_MAX = 20;

const statements = {
  stored: {
    name: "workloads-stored",
    text: "SELECT coalesce(sum(bytes), 0)::text AS bytes FROM workload_file WHERE startup_id = $1 AND deleted_at IS NULL",
  },
  chunk: {
    name: "workloads-chunk",
    text: "SELECT content FROM workload_file_chunk WHERE file_id = $1 AND number = $2",
  },
};

export class FileStore {
  constructor(
    private readonly db: Database,
    private readonly clock: Clock,
    private readonly limits: FileLimits,
    private readonly operations: BatchOperations,
  ) {}

  /**
   * Takes a file in. It is not there for anybody before `finish`; what is abandoned, the sweep removes.
   * Errors: BODY_TOO_LARGE, of `write` too.
   */
  async begin(startupId: string): Promise<FileUpload> {
    const [row] = await this.db.query<{ bytes: string }>(statements.stored, [startupId]);
    const storedBytes = Number(row?.bytes ?? 0);
    const at = this.clock.now();
    const id = newId();
    await this.db.source.getRepository(WorkloadFile).insert({
      id,
      startupId,
      purpose: "BATCH",
      filename: "",
      expiresAt: null,
      bytes: 0n,
      chunkCount: 1,
      lineCount: 0,
      digest: null,
      faults: [],
      createdAt: at,
      deletedAt: at,
    });
    return new FileUpload(this.db, this, { id, limits: this.limits, operations: this.operations, storedBytes });
  }

  async *content(file: Pick<WorkloadFile, "id" | "chunkCount">): AsyncGenerator<Buffer> {
    for (let number = 0; number < file.chunkCount; number++) {
      const [row] = await this.db.query<{ content: Buffer }>(statements.chunk, [file.id, number]);
      // Deleted while it was read: what was sent is all there is.
      if (row === undefined) return;
      yield row.content;
    }
  }

  async whole(file: Pick<WorkloadFile, "id" | "chunkCount">): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.content(file)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** Forgets what has expired, and what deleted and abandoned files have left. */
  async sweep(): Promise<void> {
    const at = this.clock.now();
    await this.db.source.query(
      `UPDATE workload_file f SET deleted_at = $1
        WHERE deleted_at IS NULL AND expires_at <= $1
          AND NOT EXISTS (SELECT FROM workload_job j WHERE j.ended_at IS NULL
                             AND f.id IN (j.input_file_id, j.validation_file_id, j.output_file_id, j.error_file_id))`,
      [at],
    );
    const files: { id: string }[] = await this.db.source.query(
      `SELECT id FROM workload_file WHERE chunk_count > 0 AND deleted_at < $1 LIMIT ${SWEEP_FILES_MAX}`,
      [new Date(at.getTime() - ABANDONED_MS)],
    );
    for (const { id } of files) await transaction(this.db, (tx) => forgetContent(tx, id));
  }
}

/** Errors: those of the database. */
export async function forgetContent(tx: EntityManager, fileId: string): Promise<void> {
  await tx.delete(WorkloadFileChunk, { fileId });
  await tx.query("DELETE FROM workload_file_line WHERE file_id = $1", [fileId]);
  await tx.update(WorkloadFile, { id: fileId }, { chunkCount: 0 });
}

/** A file that a job writes, empty as yet. */
export async function openJobFile(
  tx: EntityManager,
  file: { startupId: string; purpose: WorkloadFilePurpose; filename: string; at: Date; expiresAt: Date },
): Promise<string> {
  const { at, ...rest } = file;
  const id = newId();
  const empty = { bytes: 0n, chunkCount: 0, lineCount: 0, digest: null, faults: [], deletedAt: null };
  await tx.insert(WorkloadFile, { id, ...rest, ...empty, createdAt: at });
  return id;
}

/** Adds lines to a file that a job writes. Only the one who looks after the job does, so that chunks have numbers of their own. */
export async function appendLines(tx: EntityManager, fileId: string, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const content = Buffer.from(`${lines.join("\n")}\n`);
  for (let start = 0; start < content.length; start += CHUNK_BYTES) {
    await tx.query(
      `WITH f AS (UPDATE workload_file SET chunk_count = chunk_count + 1, bytes = bytes + length($2::bytea) WHERE id = $1 RETURNING chunk_count)
       INSERT INTO workload_file_chunk (file_id, number, content) SELECT $1, chunk_count - 1, $2 FROM f`,
      [fileId, content.subarray(start, start + CHUNK_BYTES)],
    );
  }
  await tx.increment(WorkloadFile, { id: fileId }, "lineCount", lines.length);
}

/** One upload on its way into the database. */
export class FileUpload {
  private readonly hash = createHash("sha256");
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private bytes = 0;
  private chunkCount = 0;

  constructor(
    private readonly db: Database,
    private readonly store: Pick<FileStore, "content">,
    private readonly file: {
      readonly id: string;
      readonly limits: FileLimits;
      readonly operations: BatchOperations;
      readonly storedBytes: number;
    },
  ) {}

  /** Errors: BODY_TOO_LARGE. */
  async write(chunk: Buffer): Promise<void> {
    this.bytes += chunk.length;
    this.checkSize();
    this.hash.update(chunk);
    this.waiting.push(chunk);
    this.waitingBytes += chunk.length;
    if (this.waitingBytes >= CHUNK_BYTES) await this.flush();
  }

  /** Reads it through, line by line; from then on it is there. */
  async finish(as: UploadedFile): Promise<WorkloadFile> {
    await this.flush();
    const { id, operations } = this.file;
    const reader = new FileReader(as.purpose, operations);
    for await (const chunk of this.store.content({ id, chunkCount: this.chunkCount })) {
      for (let start = 0; start < chunk.length; start += READ_BYTES) {
        reader.push(chunk.subarray(start, start + READ_BYTES));
        // Between two pieces the relay's other requests have their turn.
        await turn();
      }
      await this.keepLines(reader);
    }
    reader.end();
    await this.keepLines(reader);
    const files = this.db.source.getRepository(WorkloadFile);
    await files.update(
      { id },
      {
        ...as,
        bytes: BigInt(this.bytes),
        chunkCount: this.chunkCount,
        lineCount: reader.lineCount,
        faults: reader.faults,
        digest: this.hash.digest("hex"),
        deletedAt: null,
      },
    );
    return files.findOneByOrFail({ id });
  }

  /** What has come of it is gone; what is still being written, the sweep removes. */
  async abandon(): Promise<void> {
    await this.db.source.getRepository(WorkloadFileChunk).delete({ fileId: this.file.id });
  }

  private async flush(): Promise<void> {
    if (this.waitingBytes === 0) return;
    const content = Buffer.concat(this.waiting);
    this.waiting = [];
    this.waitingBytes = 0;
    const chunk = { fileId: this.file.id, number: this.chunkCount, content };
    await this.db.source.getRepository(WorkloadFileChunk).insert(chunk);
    this.chunkCount += 1;
  }

  private async keepLines(reader: FileReader): Promise<void> {
    const lines = reader.take();
    if (lines.length === 0) return;
    await this.db.source.query(
      `INSERT INTO workload_file_line (file_id, line, custom_id, url, model, prompt_bytes, max_tokens, choices, hides_output)
       SELECT $1, l.line, l."customId", l.url, l.model, l."promptBytes", l."maxTokens", l.choices, l."hidesOutput"
         FROM json_to_recordset($2) AS l(line integer, "customId" text, url text, model text, "promptBytes" integer, "maxTokens" integer, choices integer,
                                         "hidesOutput" boolean)`,
      [this.file.id, JSON.stringify(lines)],
    );
  }

  private checkSize(): void {
    const { limits, storedBytes } = this.file;
    if (this.bytes > limits.fileLimitBytes)
      throw new DomainError("BODY_TOO_LARGE", `A file may have ${limits.fileLimitBytes} bytes.`, { field: "file" });
    if (storedBytes + this.bytes > limits.storageLimitBytes)
      throw new DomainError(
        "BODY_TOO_LARGE",
        `Your files may have ${limits.storageLimitBytes} bytes together: delete some that you no longer need.`,
        { field: "file" },
      );
  }
}
