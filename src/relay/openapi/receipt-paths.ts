/** The proof of what a request was charged. */
import { errorAnswers, everywhere } from "./errors";
import { answerHeaders } from "./headers";
import { open, type Paths, type Schema, schemaRef } from "./shapes";

export const receiptSchemas: Readonly<Record<string, Schema>> = {
  Receipt: open(
    {
      object: { const: "receipt" },
      id: { type: "string", description: "The request's id." },
      jws: { type: "string", description: "The claims, signed." },
      claims: { type: "object", additionalProperties: true },
      jwks_uri: { type: "string", description: "Where the keys are that the signature is checked by." },
    },
    ["object", "id", "jws", "claims"],
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
          description: "The `x-request-id` of the answer.",
          schema: { type: "string" },
        },
      ],
      responses: {
        "200": {
          description: "The receipt.",
          headers: answerHeaders("x-request-id"),
          content: { "application/json": { schema: schemaRef("Receipt") } },
        },
        ...errorAnswers([...everywhere, "NOT_FOUND"]),
      },
    },
  },
};
