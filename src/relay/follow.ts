/** Answers a later try from the record of an earlier one: all that is there at once, and what is still to come as it comes. */
import type { ServerResponse } from "node:http";
import type { WholeAnswer } from "../metering/kept-answers";
import { type AnswerRecord, RECORD_BYTES_MAX } from "./answer-record";
import { sendError } from "./errors";

export const REPLAYED_HEADER = "x-exergy-replayed";
const replayed = { [REPLAYED_HEADER]: "true" };

/** Resolves when it is over, or its client has left. `requestId` is for the case that there is no answer. */
export function follow(record: AnswerRecord, response: ServerResponse, requestId: string): Promise<void> {
  return new Promise((resolve) => {
    const leave = record.follow({
      begin: ({ status, headers }) => void response.writeHead(status, { ...headers, ...replayed }),
      write(bytes) {
        // The first try sets the pace. Whoever lags behind it by more than an answer may have is not waited for.
        if (!response.write(bytes) && response.writableLength > 2 * RECORD_BYTES_MAX) response.destroy();
      },
      end(trailers) {
        if (trailers !== null) response.addTrailers(trailers);
        response.end();
      },
      fail: (error) => sendError(response, requestId, error),
    });
    response.once("close", () => {
      leave();
      resolve();
    });
  });
}

export function replay(answer: WholeAnswer, response: ServerResponse): void {
  const { "content-length": _, trailer: __, ...headers } = answer.headers;
  response.writeHead(answer.status, { ...headers, ...replayed, "content-length": `${answer.body.length}` });
  response.end(answer.body);
}
