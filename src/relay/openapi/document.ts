/** `/openapi.json`: what the relay forwards, its own headers and its errors. Each group of paths stands in a file of its own. */
import { errorSchema } from "./errors";
import { headers } from "./headers";
import { inferencePaths, inferenceSchemas } from "./inference-paths";
import { modelPaths, modelSchemas, serverPaths } from "./model-paths";
import { receiptPaths, receiptSchemas } from "./receipt-paths";
import { workloadPaths, workloadSchemas } from "./workload-paths";

export const openApiDocument = {
  openapi: "3.1.0",
  jsonSchemaDialect: "https://json-schema.org/draft/2020-12/schema",
  info: {
    title: "Exergy relay",
    version: "1",
    description:
      "An OpenAI-compatible API in front of many GPU providers. Fields that are not described here pass byte for byte, in requests and in answers.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/", description: "The server that this document came from." }],
  security: [{ key: [] }],
  tags: [
    { name: "Inference", description: "Workloads, charged to the key's organisation." },
    { name: "Models", description: "What can be asked for, and what it costs at most." },
    { name: "Receipts", description: "What a request was charged, signed." },
    { name: "Files", description: "What jobs read and what they wrote." },
    {
      name: "Jobs",
      description: "Batches and fine-tuning at training endpoints, each under a hold until it has ended.",
    },
    { name: "Server", description: "For whoever watches or reads this server; no key needed." },
  ],
  paths: { ...inferencePaths, ...modelPaths, ...receiptPaths, ...workloadPaths, ...serverPaths },
  components: {
    securitySchemes: {
      key: { type: "http", scheme: "bearer", description: "A startup's API key with the scope INFER: `exg_…`." },
    },
    headers,
    schemas: { ...inferenceSchemas, ...modelSchemas, ...receiptSchemas, ...workloadSchemas, Error: errorSchema },
  },
} as const;

export const openApiText = JSON.stringify(openApiDocument);
