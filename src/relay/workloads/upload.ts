/** Takes a multipart upload apart while it comes in: the file goes on as it is read, and no more of it waits in memory than a chunk. */
import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import busboy from "busboy";
import { DomainError } from "../../platform/errors";
import { BodyAborted } from "../../platform/http-server";

export interface UploadForm {
  readonly fields: ReadonlyMap<string, string>;
  readonly filename: string;
}

const FIELDS_MAX = 16;
const FIELD_BYTES_MAX = 1_024;
const FILENAME_CHARS_MAX = 255;

/**
 * `write` gets the file's bytes in order, each call when the one before is done. Errors: MALFORMED_BODY, BAD_USER_INPUT,
 * BodyAborted, those of `write`; the request is then read no further.
 */
export async function readUpload(
  request: IncomingMessage,
  write: (chunk: Buffer) => Promise<void>,
): Promise<UploadForm> {
  // It may have left before anybody listened for that: nothing would tell it again.
  if (request.destroyed && !request.complete) throw leftEarly();
  const parser = parserOf(request);
  const fields = new Map<string, string>();
  let file: Promise<string> | null = null;
  try {
    await new Promise<void>((resolve, reject) => {
      parser.on("field", (name, value) => fields.set(name, value));
      parser.on("file", (_name, stream, info) => {
        file = pass(stream, write).then(() => filenameOf(info.filename));
        file.catch(reject);
      });
      parser.on("close", resolve);
      parser.on("error", (cause) => reject(malformed(cause)));
      request.on("close", () => {
        if (!request.complete) reject(leftEarly());
      });
      request.pipe(parser);
    });
    if (file === null) throw new DomainError("BAD_USER_INPUT", "`file` is required.", { field: "file" });
    return { fields, filename: await file };
  } catch (error) {
    request.unpipe(parser);
    request.pause();
    parser.destroy();
    throw error;
  }
}

function parserOf(request: IncomingMessage): busboy.Busboy {
  try {
    const limits = { files: 1, fields: FIELDS_MAX, fieldSize: FIELD_BYTES_MAX, parts: FIELDS_MAX + 1 };
    return busboy({ headers: request.headers, limits, defParamCharset: "utf8" });
  } catch (cause) {
    throw malformed(cause);
  }
}

async function pass(stream: Readable, write: (chunk: Buffer) => Promise<void>): Promise<void> {
  for await (const chunk of stream) await write(chunk as Buffer);
}

const filenameOf = (name: string | undefined): string =>
  (name ?? "").replaceAll(/\p{Cc}/gu, "").slice(0, FILENAME_CHARS_MAX) || "upload.jsonl";

const leftEarly = () => new BodyAborted("the client left before the end of its upload");

function malformed(cause: unknown): DomainError {
  return new DomainError("MALFORMED_BODY", "The body is not multipart/form-data with a file in it.", { cause });
}
