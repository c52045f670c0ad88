/** One WebSocket text frame around a message that is made of a part of one's own and a part that many share (RFC 6455 §5.2). */

const FINAL_TEXT = 0x81;
const LENGTH_IN_16_BITS = 126;
const LENGTH_IN_64_BITS = 127;

/** Unmasked, as servers send. One buffer: a header that is written by itself costs a second chunk per subscriber. */
export function textFrame(own: Buffer, shared: Buffer): Buffer {
  const length = own.length + shared.length;
  const headerLength = length < LENGTH_IN_16_BITS ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerLength + length);
  frame[0] = FINAL_TEXT;
  if (headerLength === 2) {
    frame[1] = length;
  } else if (headerLength === 4) {
    frame[1] = LENGTH_IN_16_BITS;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_IN_64_BITS;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  own.copy(frame, headerLength);
  shared.copy(frame, headerLength + own.length);
  return frame;
}
