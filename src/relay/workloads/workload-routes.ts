/** The routes of files, batches and fine-tuning jobs. */
import type { Route } from "../routes";
import { cancelBatch, createBatch, listBatches, oneBatch } from "./batches";
import { createFile, deleteFile, fileContent, listFiles, oneFile } from "./files";
import {
  cancelTraining,
  createTraining,
  listCheckpoints,
  listTrainingEvents,
  listTrainings,
  oneTraining,
} from "./fine-tuning";

export const workloadRoutes = {
  "/v1/files": { GET: listFiles, POST: createFile },
  "/v1/files/{id}": { GET: oneFile, DELETE: deleteFile },
  "/v1/files/{id}/content": { GET: fileContent },
  "/v1/batches": { GET: listBatches, POST: createBatch },
  "/v1/batches/{id}": { GET: oneBatch },
  "/v1/batches/{id}/cancel": { POST: cancelBatch },
  "/v1/fine_tuning/jobs": { GET: listTrainings, POST: createTraining },
  "/v1/fine_tuning/jobs/{id}": { GET: oneTraining },
  "/v1/fine_tuning/jobs/{id}/cancel": { POST: cancelTraining },
  "/v1/fine_tuning/jobs/{id}/events": { GET: listTrainingEvents },
  "/v1/fine_tuning/jobs/{id}/checkpoints": { GET: listCheckpoints },
} satisfies Readonly<Record<string, Readonly<Record<string, Route>>>>;
