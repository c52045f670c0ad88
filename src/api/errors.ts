/** Error table → GraphQL errors: what a client may know goes out with its code, everything else is masked and left to the log. */
import { GraphQLError, type GraphQLFormattedError } from "graphql";
import { asUnavailable } from "../platform/database";
import { DomainError, type ErrorCode, errorTable } from "../platform/errors";

export interface Presented {
  readonly formatted: GraphQLFormattedError;
  /** What was masked, for the log. */
  readonly fault: unknown;
}

const MASKED = "Something went wrong on our side. Quote the request id when you report it.";

/** Codes of Apollo's for which we have a word of our own. */
const ours: Readonly<Record<string, ErrorCode>> = { INTERNAL_SERVER_ERROR: "INTERNAL", BAD_REQUEST: "BAD_USER_INPUT" };

export function presentError(error: unknown): Presented {
  const cause = asUnavailable(rootOf(error));
  const place = error instanceof GraphQLError ? placeOf(error) : {};
  if (cause instanceof DomainError) {
    return { formatted: { message: cause.message, ...place, extensions: domainExtensions(cause) }, fault: undefined };
  }
  const code = cause instanceof GraphQLError ? clientFaultCode(error as GraphQLError, cause) : "INTERNAL";
  if (code === "INTERNAL")
    return { formatted: { message: MASKED, ...place, extensions: { code } }, fault: cause ?? error };
  return { formatted: { message: (cause as GraphQLError).message, ...place, extensions: { code } }, fault: undefined };
}

/** graphql-js wraps what a resolver throws, sometimes more than once. */
function rootOf(error: unknown): unknown {
  let root = error;
  while (root instanceof GraphQLError && root.originalError) root = root.originalError;
  return root;
}

function placeOf({ locations, path }: GraphQLError): Pick<GraphQLFormattedError, "locations" | "path"> {
  return { ...(locations ? { locations } : {}), ...(path ? { path } : {}) };
}

/** Parsing, validation and coercion of variables come with a code or before any field; the rest broke while executing. */
function clientFaultCode(error: GraphQLError, cause: GraphQLError): string {
  // Apollo wraps a bare syntax error in one that is coded, and a coded one of ours in a less exact one.
  const code = cause.extensions.code ?? error.extensions.code;
  if (typeof code === "string") return ours[code] ?? code;
  return error.path === undefined ? "BAD_USER_INPUT" : "INTERNAL";
}

function domainExtensions(error: DomainError): Record<string, unknown> {
  return {
    code: error.code,
    ...(errorTable[error.code].retryable ? { retryable: true } : {}),
    ...(error.field === undefined ? {} : { field: error.field }),
  };
}

/** The body of an answer that GraphQL never saw: no valid key, a body too large, a server that is draining. */
export function refusal(error: DomainError, requestId: string): { status: number; body: string } {
  const extensions = { ...domainExtensions(error), requestId };
  return { status: error.status, body: JSON.stringify({ errors: [{ message: error.message, extensions }] }) };
}

export function withRequestId(formatted: GraphQLFormattedError, requestId: string): GraphQLFormattedError {
  return { ...formatted, extensions: { ...formatted.extensions, requestId } };
}

/** A result's errors as they are shown; what is masked goes to the log. */
export function presentErrors(
  errors: readonly unknown[],
  requestId: string,
  logFault: (fault: unknown, error: unknown) => void,
): GraphQLFormattedError[] {
  return errors.map((error) => {
    const { formatted, fault } = presentError(error);
    if (fault) logFault(fault, error);
    return withRequestId(formatted, requestId);
  });
}
