/** The one field in which completions and embeddings take texts or tokens, single or in a list. */
import { type ByteRange, scanItems } from "../json-members";
import { estimateTokens, InvalidField, isAbsent, lengthOf } from "./request-fields";

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;

export interface Prompts {
  readonly count: number;
  readonly bytes: number;
  readonly longestTokensEstimate: number;
}

/**
 * A text, a list of texts, the tokens of one text, or a list of those. JSON bytes bound the tokens of all four forms: each
 * token of a list takes a digit and a comma, each text of one its quotes and a comma, which cover what a server puts
 * around it. Errors: InvalidField.
 */
export function readPrompts(body: Buffer, range: ByteRange | undefined, param: string): Prompts {
  if (isAbsent(body, range)) throw new InvalidField(param, `\`${param}\` is required.`);
  const bytes = lengthOf(range);
  const first = body[range.start];
  if (first === QUOTE) return { count: 1, bytes, longestTokensEstimate: estimateTokens(bytes) };
  if (first !== OPEN_BRACKET)
    throw new InvalidField(param, `\`${param}\` must be a text, or an array of texts or tokens.`);
  const { count, longest, numbers } = scanItems(body, range.start);
  if (count === 0) throw new InvalidField(param, `\`${param}\` must hold something.`);
  if (numbers) return { count: 1, bytes, longestTokensEstimate: count };
  // Digits are more bytes per token than text: of tokens the estimate is their number.
  const ofTokens = body[longest.start] === OPEN_BRACKET;
  return {
    count,
    bytes,
    longestTokensEstimate: ofTokens ? scanItems(body, longest.start).count : estimateTokens(lengthOf(longest)),
  };
}
