/** Who the relay is towards providers: its signing key and its client certificate, kept among the secrets. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from "node:crypto";
import type { Secrets } from "../platform/secrets";
import {
  type CertificateAuthority,
  certificateSha256,
  createCertificateAuthority,
  issueClientCertificate,
} from "./certificates";
import { publicJwks } from "./relay-token";
import type { ClientIdentity } from "./upstreams";

export interface RelayIdentity {
  readonly client: ClientIdentity;
  /** What providers pin to recognise us. */
  readonly clientCaPem: string;
  readonly clientCertSha256: string;
  readonly signingKey: KeyObject;
  readonly kid: string;
  /** The document at `/.well-known/jwks.json`. */
  readonly jwks: { keys: object[] };
}

const CA_DAYS = 3_650;
const CLIENT_DAYS = 397;
/** A certificate that ends within this time is replaced at the next start; providers pin the CA and notice nothing. */
const RENEW_BEFORE_DAYS = 30;
const DAY_MS = 86_400_000;

/** Errors: those of the secrets' directory. */
export async function openRelayIdentity(secrets: Secrets, nowMs: number): Promise<RelayIdentity> {
  const signingKey = createPrivateKey(await secrets.readOrCreate("relay-signing-key.pem", newSigningKey));
  const publicKey = createPublicKey(signingKey);
  const kid = createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("base64url")
    .slice(0, 16);
  const ca = JSON.parse(
    await secrets.readOrCreate("relay-ca.json", async () =>
      JSON.stringify(await createCertificateAuthority("Exergy relay", { validDays: CA_DAYS })),
    ),
  ) as CertificateAuthority;
  const client = await issueIfNeeded(secrets, ca, nowMs);
  return {
    client,
    clientCaPem: ca.certPem,
    clientCertSha256: certificateSha256(client.certPem),
    signingKey,
    kid,
    jwks: publicJwks([{ kid, publicKey }]),
  };
}

function newSigningKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Numbered, so that a renewal is a new secret and never overwrites one in use. */
async function issueIfNeeded(secrets: Secrets, ca: CertificateAuthority, nowMs: number): Promise<ClientIdentity> {
  const issue = async () =>
    JSON.stringify(await issueClientCertificate(ca, { commonName: "exergy-relay", validDays: CLIENT_DAYS }));
  for (let generation = 1; ; generation++) {
    const client = JSON.parse(await secrets.readOrCreate(`relay-client-${generation}.json`, issue)) as ClientIdentity;
    const endsMs = Date.parse(new X509Certificate(client.certPem).validTo);
    if (endsMs - nowMs > RENEW_BEFORE_DAYS * DAY_MS) return client;
  }
}
