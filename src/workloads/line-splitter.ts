/** Cuts a stream of bytes into its lines, none longer than a limit, so that a file is read while it comes in. */

const NEWLINE = 0x0a;

export class LineSplitter {
  private rest: Buffer[] = [];
  private restBytes = 0;
  /** In the middle of a line that is too long: what is left of it is thrown away. */
  private skipping = false;
  private number = 0;

  /** `onLine` gets null for a line that is too long. Empty lines count, and are not told. */
  constructor(
    private readonly lineBytesMax: number,
    private readonly onLine: (text: string | null, number: number) => void,
  ) {}

  push(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.keep(chunk.subarray(start, end));
      this.endLine();
      start = end + 1;
    }
    this.keep(chunk.subarray(start));
  }

  /** The last line may have no end of its own. */
  end(): void {
    if (this.restBytes > 0 || this.skipping) this.endLine();
  }

  private keep(part: Buffer): void {
    if (part.length === 0 || this.skipping) return;
    if (this.restBytes + part.length > this.lineBytesMax) {
      this.skipping = true;
      this.rest = [];
      this.restBytes = 0;
      return;
    }
    // A copy: the part is a view of a chunk that may be many times its size.
    this.rest.push(Buffer.from(part));
    this.restBytes += part.length;
  }

  private endLine(): void {
    this.number += 1;
    const text = this.skipping ? null : Buffer.concat(this.rest).toString().trim();
    this.skipping = false;
    this.rest = [];
    this.restBytes = 0;
    if (text !== "") this.onLine(text, this.number);
  }
}
