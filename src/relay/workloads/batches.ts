/** `/v1/batches`: many requests of one file, answered within a day at a training endpoint. */
import type { NewBatch } from "../../workloads/workloads";
import { fileIn, readJobRequest } from "./job-request";
import { limited } from "./limited";
import { batchObject } from "./objects";
import { listBody, listRequest, queryOf } from "./paging";
import { ownId } from "./public-ids";
import { sendJson } from "./send-json";

export const createBatch = limited(async (relay, { viewer, request, response, requestId }) => {
  const { asked, mark } = await readJobRequest(relay, request);
  const input = { ...asked, input_file_id: fileIn(asked, "input_file_id") } as NewBatch;
  sendJson(response, requestId, batchObject(await relay.workloads.createBatch(viewer, input, mark)));
});

export const listBatches = limited(async (relay, { viewer, request, response, requestId }) => {
  const page = await relay.workloads.list(viewer, "BATCH", listRequest(queryOf(request.url), "batch"));
  sendJson(response, requestId, listBody(page, batchObject));
});

export const oneBatch = limited(async (relay, { viewer, response, requestId }, [id]) => {
  sendJson(response, requestId, batchObject(await relay.workloads.one(viewer, "BATCH", ownId("batch", id!))));
});

export const cancelBatch = limited(async (relay, { viewer, response, requestId }, [id]) => {
  sendJson(response, requestId, batchObject(await relay.workloads.cancel(viewer, "BATCH", ownId("batch", id!))));
});
