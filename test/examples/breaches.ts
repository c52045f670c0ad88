/** Breaches as the service levels open and close them: the row and its event in one transaction, then published. */
import { SlaBreach } from "../../entities/sla-breach";
import { newId } from "../../src/platform/ids";
import { transaction } from "../../src/platform/transaction";
import { type Party, type TestApi, uuidOf } from "../api/an-api";

const MINUTE = "2026-01-15T12:00:00.000Z";
const COUNTS = {
  requests: 20,
  failed: 20,
  ttftSamples: 0,
  within100Ms: 0,
  within200Ms: 0,
  within500Ms: 0,
  probes: 0,
  probesFailed: 0,
};

export async function openBreach({ db, services }: TestApi, endpointId: string, provider: Party): Promise<string> {
  const id = newId();
  await transaction(db, async (tx) => {
    await tx.insert(SlaBreach, {
      id,
      endpointId: uuidOf(endpointId),
      kind: "UPTIME",
      slaTier: "STANDARD",
      openedAt: new Date(MINUTE),
      closedAt: null,
      evidence: { minute: MINUTE, ...COUNTS },
    });
    await services.outbox.append(tx, "sla.breach.opened", provider.uuid, { breachId: id });
  });
  await services.outbox.publish();
  return id;
}

export async function closeBreach({ db, services }: TestApi, id: string, provider: Party): Promise<void> {
  await transaction(db, async (tx) => {
    await tx.update(SlaBreach, { id }, { closedAt: new Date() });
    await services.outbox.append(tx, "sla.breach.closed", provider.uuid, { breachId: id });
  });
  await services.outbox.publish();
}
