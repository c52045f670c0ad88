/** `/v1/fine_tuning/jobs`: a model is trained on a file at a training endpoint. */
import { DomainError } from "../../platform/errors";
import type { NewTraining } from "../../workloads/workloads";
import { fileIn, type Members, readJobRequest } from "./job-request";
import { limited } from "./limited";
import { checkpointObject, eventObject, trainingObject } from "./objects";
import { listBody, listRequest, queryOf } from "./paging";
import { ownId } from "./public-ids";
import { sendJson } from "./send-json";

const isObject = (value: unknown): value is Members => typeof value === "object" && value !== null;

/** Hyperparameters stand beside the method, or in it. Errors: BAD_USER_INPUT. */
function hyperparametersIn({ method, hyperparameters }: Members): unknown {
  if (!isObject(method)) return hyperparameters;
  if (method.type !== "supervised")
    throw new DomainError("BAD_USER_INPUT", "`method.type` must be supervised.", { field: "method" });
  return (isObject(method.supervised) ? method.supervised.hyperparameters : undefined) ?? hyperparameters;
}

export const createTraining = limited(async (relay, { viewer, request, response, requestId }) => {
  const { asked, mark } = await readJobRequest(relay, request);
  const input = {
    ...asked,
    training_file: fileIn(asked, "training_file"),
    validation_file: fileIn(asked, "validation_file"),
    hyperparameters: hyperparametersIn(asked),
  } as NewTraining;
  sendJson(response, requestId, trainingObject(await relay.workloads.createTraining(viewer, input, mark)));
});

export const listTrainings = limited(async (relay, { viewer, request, response, requestId }) => {
  const page = await relay.workloads.list(viewer, "FINE_TUNING", listRequest(queryOf(request.url), "job"));
  sendJson(response, requestId, listBody(page, trainingObject));
});

export const oneTraining = limited(async (relay, { viewer, response, requestId }, [id]) => {
  sendJson(response, requestId, trainingObject(await relay.workloads.one(viewer, "FINE_TUNING", ownId("job", id!))));
});

export const cancelTraining = limited(async (relay, { viewer, response, requestId }, [id]) => {
  const job = await relay.workloads.cancel(viewer, "FINE_TUNING", ownId("job", id!));
  sendJson(response, requestId, trainingObject(job));
});

export const listTrainingEvents = limited(async (relay, { viewer, request, response, requestId }, [id]) => {
  const asked = listRequest(queryOf(request.url), "event");
  sendJson(response, requestId, listBody(await relay.workloads.events(viewer, ownId("job", id!), asked), eventObject));
});

export const listCheckpoints = limited(async (relay, { viewer, request, response, requestId }, [id]) => {
  const asked = listRequest(queryOf(request.url), "checkpoint");
  const page = await relay.workloads.checkpoints(viewer, ownId("job", id!), asked);
  sendJson(response, requestId, listBody(page, checkpointObject));
});
