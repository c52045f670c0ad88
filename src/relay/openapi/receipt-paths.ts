/** What a charged request was and cost, signed. */

import { errorAnswers, everywhere } from "./errors";
import { answerHeaders } from "./headers";
import { open, type Paths, type Schema, schemaRef } from "./shapes";

export const receiptSchemas: Readonly<Record<string, Schema>> = {
  Receipt: open(
    {
      object: { const: "receipt" },
      id: { type: "string", description: "The request's." },
      jws: { type: "string", description: "Compact, Ed25519, of type `exergy-receipt+jwt`." },
      claims: { type: "object", description: "What the JWS says." },
      jwks_uri: { type: "string", description: "Where its public key is." },
    },
    ["object", "id", "jws", "claims", "jwks_uri"],
  ),
};

export const receiptPaths: Paths = {
  "/v1/receipts/{request_id}": {
    get: {
      operationId: "retrieveReceipt",
      summary: "The signed receipt of a charged request",
      tags: ["Receipts"],
      parameters: [
        {
          name: "request_id",
          in: "path",
          required: true,
          description: "As the answer carried it in `x-request-id`.",
          schema: { type: "string" },
        },
      ],
      responses: {
        "200": {
          description: "The receipt; the same each time.",
          headers: answerHeaders("x-request-id"),
          content: { "application/json": { schema: schemaRef("Receipt") } },
        },
        ...errorAnswers([...everywhere, "NOT_FOUND"]),
      },
    },
  },
};
