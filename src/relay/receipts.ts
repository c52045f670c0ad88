/** GET /v1/receipts/{request_id}: the signed receipt of a request that was charged to the key's startup. */
import type { Receipt } from "../metering/receipts";

export function receiptBody({ requestId, jws, claims, jwksUri }: Receipt): string {
  return JSON.stringify({ object: "receipt", id: requestId, jws, claims, jwks_uri: jwksUri });
}
