/** An object, or a list that is text already, as the answer. */
import type { ServerResponse } from "node:http";

export function sendJson(response: ServerResponse, requestId: string, answer: object | string): void {
  const body = typeof answer === "string" ? answer : JSON.stringify(answer);
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-request-id": requestId,
  });
  response.end(body);
}
