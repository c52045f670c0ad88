/** Where a request comes from, as far as it can be believed. */
import type { IncomingMessage } from "node:http";

/**
 * With `proxies` of ours in front, each of them has appended whom it heard: what stands before their entries was written
 * by the client.
 */
export function addressOf(request: IncomingMessage, proxies: number): string {
  const peer = request.socket.remoteAddress ?? "unknown";
  const header = request.headers["x-forwarded-for"];
  if (proxies === 0 || header === undefined) return peer;
  const entries = String(header).split(",");
  return entries[entries.length - proxies]?.trim() || peer;
}
