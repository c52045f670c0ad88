/** What an inference route of the relay is: how its requests are read and edited, and how its answers are. One object each. */
import type { DomainError } from "../../platform/errors";
import type { ByteRange } from "../json-members";
import type { ModelName } from "../model-name";
import type { DataReader } from "../sse-event";

/** What the relay read in one request's body; nobody beyond the operation knows the names of its fields. */
export interface InferenceRequest {
  readonly operation: Operation;
  model?: string;
  stream: boolean;
  /** The client wants the usage chunk of a stream for itself. */
  includeUsage: boolean;
  /** What may be written per choice; of two limits the higher, because providers differ in which one they obey. */
  maxTokens?: number;
  /** Answers that may be written to it, those included that the client does not get to see. */
  choices: number;
  /** Of its answers some are never shown: what was delivered says nothing about how much was written. */
  hidesOutput: boolean;
  /** JSON bytes of all that becomes prompt: an upper bound of its tokens, because every one of them covers a byte. */
  promptBytes: number;
  /** About how many tokens its longest prompt has: each must fit into a context by itself. */
  promptTokensEstimate: number;
  /** Where each key's value lies; of duplicates the last, as in JSON.parse. */
  fields: ReadonlyMap<string, ByteRange>;
  /** For the rewriting: earlier members whose key, one of those read here, comes again; the place after the brace. */
  superseded: readonly ByteRange[];
  insertAt: number;
}

export interface RequestEdits {
  /** The provider's own name of the model. */
  model?: string;
  includeUsage?: true;
  maxTokens?: number;
}

export interface WholeAnswer {
  /** In the words of chat completions: `prompt_tokens`, `completion_tokens`. */
  readonly usage: unknown;
  /** 0: an answer without any content. */
  readonly deliveredBytes: number;
}

export interface Operation {
  /** Here, and at a provider below its base URL. */
  readonly path: string;
  /** For messages: which field holds the prompt, and which one limits the output. */
  readonly promptField: string;
  readonly limitField: string;
  /** What a request may write that names no limit; left out: as much as every route can. 0: nothing is ever written. */
  readonly maxTokensDefault?: number;
  /** Errors: MalformedBody (the bytes are not a JSON object), InvalidField (one of the fields read is of no use). */
  scan(body: Buffer): InferenceRequest;
  /** The body with `edits` spliced in, byte for byte the same elsewhere. */
  rewrite(body: Buffer, request: InferenceRequest, edits: RequestEdits): Buffer;
  /** Null: the body is no answer of this operation. */
  readWhole(body: Buffer): WholeAnswer | null;
  /** A whole answer with the marketplace's name of the model wherever the provider put its own. */
  rename(body: Buffer, name: ModelName): Buffer;
  readonly stream: StreamForm;
}

/** How streams of an operation are told. */
export interface StreamForm {
  readonly readData: DataReader;
  readonly eventBytesMax: number;
  /** One event, renamed. */
  rename(event: Buffer, name: ModelName): Buffer;
  /** What ends a whole stream; null: the provider's own last event, which is kept until it is paid. */
  readonly lastEvent: string | null;
  /** How much may come before the first content, of a request of so many bytes. */
  preambleBytesMax(requestBytes: number): number;
  /** Ends a stream that has begun and cannot go on; `events` went out before it. */
  errorEvent(error: DomainError, events: number): string;
  /** The provider's own word that it failed, fit to be shown: without its reasons, which may name it. */
  failedEvent?(event: Buffer, name: ModelName): Buffer;
}
