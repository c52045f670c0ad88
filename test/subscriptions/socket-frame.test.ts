/** Frames of ours are read by ws as one text message each, of any length. */
import type { Writable } from "node:stream";
import * as ws from "ws";
import { textFrame } from "../../src/api/socket-frame";

/** What a client of ws reads frames with; its types do not name it. */
const { Receiver } = ws as unknown as { Receiver: new (options: { isServer: boolean }) => Writable };

test.each([0, 1, 100, 125, 126, 127, 65_535, 65_536, 200_000])(
  "a message of about %i bytes arrives whole",
  async (length) => {
    const own = Buffer.from('{"id":"é","payload":'.slice(0, length));
    const shared = Buffer.alloc(Math.max(0, length - own.length), "x");
    const got: string[] = [];
    const receiver = new Receiver({ isServer: false });
    receiver.on("message", (data: unknown) => got.push(String(data)));
    receiver.write(Buffer.concat([textFrame(own, shared), textFrame(own, shared)]));
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(got).toEqual([String(own) + String(shared), String(own) + String(shared)]);
  },
);
