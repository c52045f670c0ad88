/** What the mock provider answers, written out beforehand: the provider must never be what the bench measures. */

export const MODEL = "bench-8b";
export const FLOOD_BYTES = 200 * 1024 * 1024;
const FLOOD_WRITE_BYTES = 65_536;

const HEADERS = ["content-type: text/event-stream", "transfer-encoding: chunked"];
export const STREAM_HEAD = Buffer.from(`HTTP/1.1 200 OK\r\n${HEADERS.join("\r\n")}\r\n\r\n`);
export const WHOLE = whole({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1_764_288_000,
  model: MODEL,
  choices: [
    {
      index: 0,
      message: { role: "assistant", content: "Exergy is the part of energy that can still do work. ".repeat(6).trim() },
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 16, completion_tokens: 60, total_tokens: 76 },
});
/** For the probes of the service level. */
export const MODELS = whole({ object: "list", data: [{ id: MODEL, object: "model" }] });

export const ROLE = chunk(delta({ role: "assistant", content: "" }));
export const STREAM_END = Buffer.concat([
  chunk(
    event({ choices: [], usage: { prompt_tokens: 16, completion_tokens: 8, total_tokens: 24 } }),
    "data: [DONE]\n\n",
  ),
  Buffer.from("0\r\n\r\n"),
]);

/** The frame with its number in its content, so that who reads it can tell what is missing and what came out of order. */
export const frames: readonly Buffer[] = Array.from({ length: 1_000 }, (_, number) =>
  chunk(delta({ content: ` ${String(number).padStart(3, "0")}` })),
);

/** One write of the flood: whole events of a kilobyte. */
export const FLOOD = Buffer.concat(
  Array.from({ length: FLOOD_WRITE_BYTES / 1_024 }, () => chunk(delta({ content: "x".repeat(860) }))),
);

/** Content and number of a frame, as `frames` writes it. */
export const FRAME_MARK = Buffer.from('"content":" ');

function delta(content: object): string {
  return event({ choices: [{ index: 0, delta: content, finish_reason: null }] });
}

function event(members: object): string {
  const head = { id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1_764_288_000, model: MODEL };
  return `data: ${JSON.stringify({ ...head, ...members })}\n\n`;
}

function chunk(...events: string[]): Buffer {
  const text = events.join("");
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}

function whole(body: object): Buffer {
  const text = JSON.stringify(body);
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}
