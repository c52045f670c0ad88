/** `/v1/files`: a startup's files come in, are listed, read and deleted. */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { WorkloadFilePurpose } from "../../../entities/workload-file";
import { DomainError } from "../../platform/errors";
import { BodyTooLarge } from "../../platform/http-server";
import { limited } from "./limited";
import { fileObject, purposeNames } from "./objects";
import { listBody, listRequest, queryOf } from "./paging";
import { ownId, publicId } from "./public-ids";
import { sendJson } from "./send-json";
import { readUpload } from "./upload";

const FORM_BYTES = 65_536;
const LIST_MAX = 10_000;
const EXPIRY_SECONDS_MIN = 3_600;
const EXPIRY_SECONDS_MAX = 2_592_000;

const uploadPurposes: Readonly<Record<string, "BATCH" | "FINE_TUNE">> = { batch: "BATCH", "fine-tune": "FINE_TUNE" };

export const createFile = limited(async (relay, { viewer, request, response, requestId }) => {
  const { fileLimitBytes } = relay.config.workloads;
  if (Number(request.headers["content-length"] ?? 0) > fileLimitBytes + FORM_BYTES)
    throw new BodyTooLarge(fileLimitBytes);
  const { files } = relay.workloads;
  const upload = await files.begin(viewer);
  try {
    const { fields, filename } = await readUpload(request, (chunk) => upload.write(chunk));
    const file = await files.finish(upload, { purpose: purposeIn(fields), filename, keepMs: keepMs(fields) });
    sendJson(response, requestId, fileObject(file));
  } catch (error) {
    await upload.abandon().catch(() => undefined);
    throw error;
  }
});

/** Errors: BAD_USER_INPUT. */
function purposeIn(fields: ReadonlyMap<string, string>): "BATCH" | "FINE_TUNE" {
  const purpose = uploadPurposes[fields.get("purpose") ?? ""];
  if (purpose !== undefined) return purpose;
  throw new DomainError("BAD_USER_INPUT", "`purpose` must be batch or fine-tune.", { field: "purpose" });
}

/** Errors: BAD_USER_INPUT. */
function keepMs(fields: ReadonlyMap<string, string>): number | null {
  const given = fields.get("expires_after[seconds]");
  if (given === undefined) return null;
  const seconds = Number(given);
  const anchored = fields.get("expires_after[anchor]") === "created_at";
  if (anchored && Number.isInteger(seconds) && seconds >= EXPIRY_SECONDS_MIN && seconds <= EXPIRY_SECONDS_MAX)
    return seconds * 1_000;
  const message = `\`expires_after\` takes the anchor created_at and ${EXPIRY_SECONDS_MIN} to ${EXPIRY_SECONDS_MAX} seconds.`;
  throw new DomainError("BAD_USER_INPUT", message, { field: "expires_after" });
}

export const listFiles = limited(async (relay, { viewer, request, response, requestId }) => {
  const query = queryOf(request.url);
  const page = await relay.workloads.files.list(viewer, {
    ...listRequest(query, "file", LIST_MAX),
    purpose: purposeNamed(query.get("purpose")),
    oldestFirst: query.get("order") === "asc",
  });
  sendJson(response, requestId, listBody(page, fileObject));
});

/** Errors: BAD_USER_INPUT. */
function purposeNamed(name: string | null): WorkloadFilePurpose | null {
  if (name === null) return null;
  const found = (Object.keys(purposeNames) as WorkloadFilePurpose[]).find((purpose) => purposeNames[purpose] === name);
  if (found !== undefined) return found;
  const known = Object.values(purposeNames).join(", ");
  throw new DomainError("BAD_USER_INPUT", `\`purpose\` must be one of ${known}.`, { field: "purpose" });
}

export const oneFile = limited(async (relay, { viewer, response, requestId }, [id]) => {
  sendJson(response, requestId, fileObject(await relay.workloads.files.one(viewer, ownId("file", id!, "file_id"))));
});

export const deleteFile = limited(async (relay, { viewer, response, requestId }, [id]) => {
  const file = await relay.workloads.files.remove(viewer, ownId("file", id!, "file_id"));
  sendJson(response, requestId, { id: publicId("file", file.id), object: "file", deleted: true });
});

export const fileContent = limited(async (relay, { viewer, response, requestId }, [id]) => {
  const { files } = relay.workloads;
  const file = await files.one(viewer, ownId("file", id!, "file_id"));
  response.writeHead(200, {
    "content-type": "application/octet-stream",
    "content-length": Number(file.bytes),
    "x-request-id": requestId,
  });
  await send(response, files.content(file), Number(file.bytes));
});

/** A job may add to its file while it is read: no more is sent than was announced. */
async function send(response: ServerResponse, content: AsyncGenerator<Buffer>, bytes: number): Promise<void> {
  let left = bytes;
  for await (const chunk of content) {
    const part = chunk.subarray(0, left);
    left -= part.length;
    if (response.destroyed) return;
    if (!response.write(part)) await Promise.race([once(response, "drain"), once(response, "close")]);
    if (left === 0) break;
  }
  if (left > 0) response.destroy();
  else response.end();
}
