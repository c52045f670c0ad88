/** Reads an upload line by line as it comes in: what a batch asks for, what is wrong with it. */
import type { LineFault } from "../../schema/line-fault";
import { BATCH_LINES_MAX, type BatchLine, FAULTS_MAX, isFault, readBatchLine, readExample } from "./batch-line";
import type { BatchOperations } from "./batch-operation";
import { LineSplitter } from "./line-splitter";

/** A prompt longer than this fits into no model. */
const LINE_BYTES_MAX = 4_194_304;

export class FileReader {
  readonly faults: LineFault[] = [];
  lineCount = 0;
  private readonly lines: LineSplitter;
  private readonly customIds = new Set<string>();
  private model: string | null = null;
  private read: (BatchLine & { line: number })[] = [];

  constructor(
    purpose: "BATCH" | "FINE_TUNE",
    private readonly operations: BatchOperations,
  ) {
    this.lines = new LineSplitter(LINE_BYTES_MAX, (text, line) => {
      this.lineCount += 1;
      if (text === null)
        return this.tell({
          line,
          code: "line_too_long",
          message: `A line may have ${LINE_BYTES_MAX} bytes.`,
          param: null,
        });
      if (purpose === "BATCH") return this.request(text, line);
      const fault = readExample(text);
      if (fault !== null) this.tell({ line, ...fault });
    });
  }

  push(chunk: Buffer): void {
    this.lines.push(chunk);
  }

  end(): void {
    this.lines.end();
  }

  /** The requests that were read since the last call. */
  take(): (BatchLine & { line: number })[] {
    const { read } = this;
    this.read = [];
    return read;
  }

  private request(text: string, line: number): void {
    if (this.lineCount > BATCH_LINES_MAX) {
      const message = `A batch may have ${BATCH_LINES_MAX} requests.`;
      if (this.lineCount === BATCH_LINES_MAX + 1) this.tell({ line, code: "too_many_tasks", message, param: null });
      return;
    }
    const request = readBatchLine(text, this.operations);
    if (isFault(request)) return this.tell({ line, ...request });
    if (this.customIds.has(request.customId)) {
      const message = "Another line has the same `custom_id`.";
      return this.tell({ line, code: "duplicate_custom_id", message, param: "custom_id" });
    }
    this.model ??= request.model;
    if (request.model !== this.model) {
      const message = "All lines of a batch must name the same model.";
      return this.tell({ line, code: "mismatched_model", message, param: "body.model" });
    }
    this.customIds.add(request.customId);
    this.read.push({ line, ...request });
  }

  private tell(fault: LineFault): void {
    if (this.faults.length < FAULTS_MAX) this.faults.push(fault);
  }
}
