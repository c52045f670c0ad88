/** What can be asked for, and the routes for whoever watches this server. */

import { errorAnswers, everywhere } from "./errors";
import { answerHeaders } from "./headers";
import { type Answer, open, type Paths, type Schema, schemaRef } from "./shapes";

const strings: Schema = { type: "array", items: { type: "string" } };
const found = (description: string, name: string): Answer => ({
  description,
  headers: answerHeaders("x-request-id"),
  content: { "application/json": { schema: schemaRef(name) } },
});
const plain = (description: string, word: string): Answer => ({
  description,
  content: { "text/plain": { schema: { const: word } } },
});

export const modelSchemas: Readonly<Record<string, Schema>> = {
  Model: open(
    {
      id: { type: "string" },
      object: { const: "model" },
      created: { type: "integer", description: "Unix seconds." },
      owned_by: { type: "string" },
      architecture: { type: "string" },
      context_length: { type: "integer", description: "Of prompt and output together, in tokens." },
      max_output_tokens: { type: "integer", description: "The most that any route allows." },
      accelerators: strings,
      regions: strings,
      pricing: open(
        {
          unit: { const: "per_million_tokens" },
          currency: { const: "CRD" },
          prompt: { type: "string" },
          completion: { type: "string" },
        },
        ["unit", "currency", "prompt", "completion"],
        { description: "A ceiling: a request costs what the endpoint that served it costs." },
      ),
    },
    ["id", "object", "created", "owned_by", "pricing"],
  ),
  ModelList: open({ object: { const: "list" }, data: { type: "array", items: schemaRef("Model") } }, [
    "object",
    "data",
  ]),
};

export const modelPaths: Paths = {
  "/v1/models": {
    get: {
      operationId: "listModels",
      summary: "Models that can be routed now",
      tags: ["Models"],
      responses: { "200": found("The models, by name.", "ModelList"), ...errorAnswers(everywhere) },
    },
  },
  "/v1/models/{model}": {
    get: {
      operationId: "retrieveModel",
      summary: "One model",
      tags: ["Models"],
      parameters: [
        {
          name: "model",
          in: "path",
          required: true,
          description: "The model's id; its slashes may stay as they are.",
          schema: { type: "string" },
        },
      ],
      responses: { "200": found("The model.", "Model"), ...errorAnswers([...everywhere, "MODEL_NOT_FOUND"]) },
    },
  },
};

export const serverPaths: Paths = {
  "/openapi.json": {
    get: {
      operationId: "describe",
      summary: "This document",
      tags: ["Server"],
      security: [],
      responses: {
        "200": {
          description: "OpenAPI 3.1.",
          headers: answerHeaders("x-request-id"),
          content: { "application/json": { schema: open({ openapi: { type: "string" } }, ["openapi"]) } },
        },
        ...errorAnswers(["OVERLOADED", "SHUTTING_DOWN"]),
      },
    },
  },
  "/healthz": {
    get: {
      operationId: "health",
      summary: "Whether the process runs",
      tags: ["Server"],
      security: [],
      responses: { "200": plain("It does.", "ok") },
    },
  },
  "/readyz": {
    get: {
      operationId: "readiness",
      summary: "Whether it takes new work",
      tags: ["Server"],
      security: [],
      responses: { "200": plain("It does.", "ready"), "503": plain("It was told to stop.", "draining") },
    },
  },
};
