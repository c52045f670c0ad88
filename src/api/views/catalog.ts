/** Rows of the catalog as views. */
import type { Accelerator } from "../../../entities/accelerator";
import type { Endpoint } from "../../../entities/endpoint";
import type { Offering } from "../../../entities/offering";
import { encodeId } from "../../../schema/node";
import type { AcceleratorView, EndpointView, OfferingView } from "../../../schema/views/catalog.view";

export const acceleratorView = (row: Accelerator): AcceleratorView => row;

export const endpointView = (row: Endpoint): EndpointView => ({
  id: encodeId("Endpoint", row.id),
  endpointId: row.id,
  providerId: row.providerId,
  acceleratorCode: row.accelerator,
  slaTierCode: row.slaTier,
  name: row.name,
  kind: row.kind,
  tenancy: row.tenancy,
  baseUrl: row.baseUrl,
  relayAudience: row.id,
  region: row.region,
  zone: row.zone,
  gpuCount: row.gpuCount,
  slots: row.slots,
  state: row.state,
  createdAt: row.createdAt,
  version: row.version,
});

export const offeringView = (row: Offering): OfferingView => ({
  id: encodeId("Offering", row.id),
  endpointId: row.endpointId,
  model: row.model,
  upstreamModel: row.upstreamModel,
  architecture: row.architecture,
  contextLength: row.contextLength,
  maxOutputTokens: row.maxOutputTokens,
  prefillTokensPerGpuSecond: row.prefillTokensPerGpuSecond,
  decodeTokensPerGpuSecond: row.decodeTokensPerGpuSecond,
  state: row.state,
  createdAt: row.createdAt,
  version: row.version,
});
