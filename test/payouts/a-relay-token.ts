/** Relay tokens as the relay would have signed them, for attempts of some time ago: what a provider's claim stands on. */
import { newRequestId } from "../../src/metering/request-id";
import type { RelayIdentity } from "../../src/upstreams/identity";
import { bodySha256, createRelayTokenSigner } from "../../src/upstreams/relay-token";

type Signing = Pick<RelayIdentity, "signingKey" | "kid" | "clientCertSha256">;

const HOUR_MS = 3_600_000;
let relay: Signing | null = null;

/** From now on tokens are this relay's. */
export function signAs(identity: Signing): void {
  relay = identity;
}

export function aRelayToken(
  endpointId: string,
  { requestId = newRequestId(), attempt = 1, body = "{}", at = new Date(Date.now() - HOUR_MS), by = relay } = {},
): string {
  if (by === null) throw new Error("whose token? signAs(identity) first");
  const signer = createRelayTokenSigner({
    privateKey: by.signingKey,
    kid: by.kid,
    issuer: "http://localhost",
    clientCertSha256: by.clientCertSha256,
    clock: () => at.getTime(),
  });
  return signer.sign({ audience: endpointId, requestId, attempt, bodySha256: bodySha256(Buffer.from(body)) });
}
