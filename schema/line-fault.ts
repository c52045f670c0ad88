/** Something in a file that a job cannot read, by its line from 1. */
export interface LineFault {
  readonly line: number;
  readonly code: string;
  readonly message: string;
  /** The member at fault; null: the line as a whole. */
  readonly param: string | null;
}
