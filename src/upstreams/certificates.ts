/** Makes the X.509 identities of mutual TLS: a certificate authority, server and client certificates under it. */
import "reflect-metadata"; // The dependency container inside @peculiar/x509 needs it before it loads.
import { createHash, createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import * as x509 from "@peculiar/x509";

x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** Certificates begin a little in the past: the other side's clock may be behind ours. */
const CLOCK_SKEW_MS = 300_000;

const CA_DAYS = 3650;
/** The CA/Browser Forum's limit for server certificates; some verifiers refuse longer ones. */
const SERVER_DAYS = 397;
const CLIENT_DAYS = 365;

export interface Identity {
  certPem: string;
  /** PKCS#8. */
  keyPem: string;
}

export interface CertificateAuthority extends Identity {
  name: string;
}

export interface Validity {
  validDays?: number;
  /** When the validity starts; five minutes ago if absent. */
  notBefore?: Date;
}

export interface ServerNames extends Validity {
  dnsNames: readonly string[];
  ipAddresses: readonly string[];
}

export async function createCertificateAuthority(name: string, validity: Validity = {}): Promise<CertificateAuthority> {
  const keys = await webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    ...period(validity, CA_DAYS),
    keys,
    signingAlgorithm: SIGNATURE,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { name, certPem: certificate.toString("pem"), keyPem: await privateKeyPem(keys.privateKey) };
}

/** A certificate that TLS clients accept for these names and addresses, and for nothing else. */
export function issueServerCertificate(ca: CertificateAuthority, names: ServerNames): Promise<Identity> {
  const alternatives = [
    ...names.dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...names.ipAddresses.map((value) => ({ type: "ip" as const, value })),
  ];
  const first = alternatives[0];
  if (!first) throw new TypeError("A server certificate needs at least one DNS name or IP address.");
  return issue(ca, first.value, period(names, SERVER_DAYS), [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
    new x509.SubjectAlternativeNameExtension(alternatives),
  ]);
}

/** The identity with which the platform calls providers. */
export function issueClientCertificate(
  ca: CertificateAuthority,
  { commonName, ...validity }: Validity & { commonName: string },
): Promise<Identity> {
  return issue(ca, commonName, period(validity, CLIENT_DAYS), [
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
  ]);
}

/** base64url SHA-256 of the certificate's DER: the `x5t#S256` of RFC 8705. */
export function certificateSha256(certPem: string): string {
  return createHash("sha256").update(new X509Certificate(certPem).raw).digest("base64url");
}

async function issue(
  ca: CertificateAuthority,
  commonName: string,
  validity: { notBefore: Date; notAfter: Date },
  extensions: x509.Extension[],
): Promise<Identity> {
  const issuer = new x509.X509Certificate(ca.certPem);
  const keys = await webcrypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [commonName] }],
    issuer: issuer.subjectName.toJSON(),
    ...validity,
    publicKey: keys.publicKey,
    signingKey: await signingKey(ca.keyPem),
    signingAlgorithm: SIGNATURE,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...extensions,
    ],
  });
  return { certPem: certificate.toString("pem"), keyPem: await privateKeyPem(keys.privateKey) };
}

function period(validity: Validity, defaultDays: number): { notBefore: Date; notAfter: Date } {
  const notBefore = validity.notBefore ?? new Date(Date.now() - CLOCK_SKEW_MS);
  return { notBefore, notAfter: new Date(notBefore.getTime() + (validity.validDays ?? defaultDays) * DAY_MS) };
}

/** 127 random bits; the leading 4 keeps the DER integer positive and never shorter than its siblings. */
function serialNumber(): string {
  return `4${Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)))
    .toString("hex")
    .slice(1)}`;
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  return createPrivateKey({ key: pkcs8, format: "der", type: "pkcs8" })
    .export({ format: "pem", type: "pkcs8" })
    .toString();
}

function signingKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  const pkcs8 = createPrivateKey(keyPem).export({ format: "der", type: "pkcs8" });
  return webcrypto.subtle.importKey("pkcs8", pkcs8, KEY, false, ["sign"]);
}
