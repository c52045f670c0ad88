/** Asks each live endpoint for its models, so that an endpoint without traffic is not an endpoint without evidence. */

import type { Database } from "../platform/database";
import { newId } from "../platform/ids";
import type { UpstreamEndpoint, Upstreams } from "../upstreams/upstreams";

/** Whose sockets probes use: never a startup's. */
const PROBE_TENANT = "probe";
const PROBE_TIMEOUT_MS = 5_000;

export interface ProbeResult {
  readonly endpointId: string;
  readonly ok: boolean;
}

/** One probe per live inference endpoint, all at once. Errors: those of the database; a failing endpoint is a result. */
export async function probeEndpoints(db: Database, upstreams: Upstreams): Promise<ProbeResult[]> {
  const endpoints = await db.query<{ id: string; base_url: string; ca_pem: string }>(
    {
      name: "sla-probe-targets",
      text: "SELECT id, base_url, ca_pem FROM endpoint WHERE state = 'LIVE' AND kind = 'INFERENCE' ORDER BY id",
    },
    [],
  );
  return Promise.all(
    endpoints.map(async (row) => ({
      endpointId: row.id,
      ok: await answers(upstreams, { id: row.id, baseUrl: row.base_url, caPem: row.ca_pem }),
    })),
  );
}

async function answers(upstreams: Upstreams, endpoint: UpstreamEndpoint): Promise<boolean> {
  try {
    const answer = await upstreams.fetch(
      {
        endpoint,
        startupId: PROBE_TENANT,
        requestId: newId(),
        attempt: 1,
        method: "GET",
        path: "/v1/models",
        body: null,
        accept: "application/json",
      },
      PROBE_TIMEOUT_MS,
    );
    return answer.status === 200;
  } catch {
    return false;
  }
}
