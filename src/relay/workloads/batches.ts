/** `/v1/batches`: many requests of one file, answered within a day at a training endpoint. */
import type { NewBatch } from "../../workloads/workloads";
import { authenticate } from "../authenticate";
import type { Route } from "../routes";
import { fileIn, readJobRequest } from "./job-request";
import { batchObject } from "./objects";
import { listBody, listRequest, queryOf } from "./paging";
import { ownId } from "./public-ids";
import { sendJson } from "./send-json";

export const createBatch: Route = async (relay, request, response, requestId) => {
  const viewer = await authenticate(relay.accounts, request);
  const { asked, mark } = await readJobRequest(relay, request);
  const input = { ...asked, input_file_id: fileIn(asked, "input_file_id") } as NewBatch;
  sendJson(response, requestId, batchObject(await relay.workloads.createBatch(viewer, input, mark)));
};

export const listBatches: Route = async (relay, request, response, requestId) => {
  const viewer = await authenticate(relay.accounts, request);
  const page = await relay.workloads.list(viewer, "BATCH", listRequest(queryOf(request.url), "batch"));
  sendJson(response, requestId, listBody(page, batchObject));
};

export const oneBatch: Route = async (relay, request, response, requestId, [id]) => {
  const viewer = await authenticate(relay.accounts, request);
  sendJson(response, requestId, batchObject(await relay.workloads.one(viewer, "BATCH", ownId("batch", id!))));
};

export const cancelBatch: Route = async (relay, request, response, requestId, [id]) => {
  const viewer = await authenticate(relay.accounts, request);
  sendJson(response, requestId, batchObject(await relay.workloads.cancel(viewer, "BATCH", ownId("batch", id!))));
};
