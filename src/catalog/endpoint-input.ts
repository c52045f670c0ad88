/** What a provider declares about an endpoint or an offering, and the bounds of each value. */
import { X509Certificate } from "node:crypto";
import { z } from "zod";
import type { EndpointKind, EndpointTenancy, SlaTierCode } from "../../schema/enums";
import { DomainError } from "../platform/errors";
import { count, line, placeName } from "../platform/input";
import { checkUpstreamUrl, type EgressPolicy, EgressRefused } from "../upstreams/egress-guard";

export interface NewEndpoint {
  /** Whose it is; only an operator has to say. */
  providerId?: string | null | undefined;
  name: string;
  kind: EndpointKind;
  tenancy: EndpointTenancy;
  baseUrl: string;
  caPem: string;
  accelerator: string;
  region: string;
  zone: string;
  gpuCount: number;
  slots: number;
  slaTier: SlaTierCode;
}

export interface NewOffering {
  endpointId: string;
  model: string;
  upstreamModel: string;
  architecture: string;
  contextLength: number;
  maxOutputTokens: number;
  prefillTokensPerGpuSecond: number;
  decodeTokensPerGpuSecond: number;
}

/** A chain of three certificates with large keys is below 8 KiB. */
const CA_PEM_CHARS_MAX = 32_768;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

export const endpointFields = z.object({
  name: line(120),
  region: placeName,
  zone: placeName,
  gpuCount: count(1_000_000),
  slots: count(100_000),
});

export const offeringFields = z
  .object({
    model: z.string().regex(/^[a-z0-9][a-z0-9._/-]{1,127}$/, "must be 2 to 128 lower-case letters, digits and . _ / -"),
    upstreamModel: line(256),
    architecture: line(120),
    contextLength: count(),
    maxOutputTokens: count(),
    prefillTokensPerGpuSecond: count(),
    decodeTokensPerGpuSecond: count(),
  })
  .refine(({ contextLength, maxOutputTokens }) => maxOutputTokens <= contextLength, {
    path: ["maxOutputTokens"],
    error: "must not exceed contextLength",
  });

/** One spelling per endpoint, without a slash at the end. Errors: UPSTREAM_URL_REFUSED, with the reason. */
export function canonicalBaseUrl(text: string, policy: EgressPolicy): string {
  try {
    return checkUpstreamUrl(text, policy).href.replace(/\/+$/, "");
  } catch (error) {
    if (!(error instanceof EgressRefused)) throw error;
    throw new DomainError("UPSTREAM_URL_REFUSED", `baseUrl: ${error.message}`, {
      field: "baseUrl",
      details: { reason: error.reason },
    });
  }
}

/** The certificates of the text and nothing else: a private key that was pasted along is not kept. Errors: BAD_USER_INPUT. */
export function certificatesOf(caPem: string): string {
  const found = caPem.length > CA_PEM_CHARS_MAX ? null : caPem.match(CERTIFICATE);
  if (found === null || !found.every(isCertificate)) {
    throw new DomainError(
      "BAD_USER_INPUT",
      `caPem: must be X.509 certificates in PEM, at most ${CA_PEM_CHARS_MAX} characters`,
      { field: "caPem" },
    );
  }
  return `${found.join("\n")}\n`;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}
