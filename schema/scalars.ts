/** The contract's scalars: exact numbers and instants as text, so that no client loses a digit on the way. */
import { GraphQLError, GraphQLScalarType, Kind, type ValueNode } from "graphql";

/** Longer text than any amount of ours has; it bounds what a parser is handed. */
const DECIMAL_LENGTH_MAX = 40;
const DECIMAL = /^-?\d+(\.\d+)?$/;
const INTEGER = /^-?\d+$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

function text(value: unknown, name: string): string {
  if (typeof value !== "string") throw new GraphQLError(`${name} is written as a string, got ${typeof value}.`);
  return value;
}

function literal(node: ValueNode, name: string): string {
  if (node.kind !== Kind.STRING) throw new GraphQLError(`${name} is written as a string.`, { nodes: [node] });
  return node.value;
}

function readDecimal(value: string): string {
  if (value.length > DECIMAL_LENGTH_MAX || !DECIMAL.test(value)) {
    throw new GraphQLError(
      `Decimal is a plain decimal number such as "12.5", got ${JSON.stringify(value.slice(0, 60))}.`,
    );
  }
  return value;
}

export const Decimal = new GraphQLScalarType<string, string>({
  name: "Decimal",
  description: 'An exact decimal number as a string, e.g. `"12.5"`: no exponent, no rounding on the way.',
  specifiedByURL: "https://www.w3.org/TR/xmlschema11-2/#decimal",
  serialize: (value) => text(value, "Decimal"),
  parseValue: (value) => readDecimal(text(value, "Decimal")),
  parseLiteral: (node) => readDecimal(literal(node, "Decimal")),
});

function readBigInt(value: string): bigint {
  if (value.length > DECIMAL_LENGTH_MAX || !INTEGER.test(value)) {
    throw new GraphQLError(`BigInt is a whole number as a string, got ${JSON.stringify(value.slice(0, 60))}.`);
  }
  return BigInt(value);
}

export const BigIntText = new GraphQLScalarType<bigint, string>({
  name: "BigInt",
  description: 'A whole number of any size as a string, e.g. `"10000"`.',
  specifiedByURL: "https://www.w3.org/TR/xmlschema11-2/#integer",
  serialize: (value) => (typeof value === "bigint" ? value.toString() : text(value, "BigInt")),
  parseValue: (value) => readBigInt(text(value, "BigInt")),
  parseLiteral: (node) => readBigInt(literal(node, "BigInt")),
});

function readInstant(value: string): Date {
  const instant = INSTANT.test(value) ? new Date(value) : new Date(Number.NaN);
  if (Number.isNaN(instant.getTime())) {
    throw new GraphQLError(
      `DateTime is an RFC 3339 instant such as "2026-01-31T12:00:00.000Z", got ${JSON.stringify(value.slice(0, 60))}.`,
    );
  }
  return instant;
}

export const DateTime = new GraphQLScalarType<Date, string>({
  name: "DateTime",
  description:
    'An instant in UTC with milliseconds, e.g. `"2026-01-31T12:00:00.000Z"`. Input may carry another offset.',
  specifiedByURL: "https://www.rfc-editor.org/rfc/rfc3339",
  serialize: (value) =>
    value instanceof Date ? value.toISOString() : readInstant(text(value, "DateTime")).toISOString(),
  parseValue: (value) => readInstant(text(value, "DateTime")),
  parseLiteral: (node) => readInstant(literal(node, "DateTime")),
});

/** Longer than any address or URL that a door takes; what is no address or URL the door says, as data, with its field. */
const TEXT_LENGTH_MAX = 2_048;

function readText(value: string, name: string): string {
  if (value.length > TEXT_LENGTH_MAX) throw new GraphQLError(`${name} has at most ${TEXT_LENGTH_MAX} characters.`);
  return value;
}

const textScalar = (name: string, description: string, specifiedByURL: string): GraphQLScalarType<string, string> =>
  new GraphQLScalarType<string, string>({
    name,
    description,
    specifiedByURL,
    serialize: (value) => text(value, name),
    parseValue: (value) => readText(text(value, name), name),
    parseLiteral: (node) => readText(literal(node, name), name),
  });

export const EmailAddress = textScalar(
  "EmailAddress",
  'An e-mail address, e.g. `"ada@example.org"`.',
  "https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address",
);

export const Url = textScalar(
  "URL",
  'An absolute URL, e.g. `"https://gpu.example/v1"`.',
  "https://url.spec.whatwg.org",
);

export const YearMonth = textScalar(
  "YearMonth",
  'A calendar month in UTC, e.g. `"2026-01"`.',
  "https://www.w3.org/TR/xmlschema11-2/#gYearMonth",
);

const DURATION = /^P(?=[\dT])(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,9})(?:\.(\d{1,3}))?S)?)?$/;

/** Milliseconds. Months and years are no length: they are not read. */
function readDuration(value: string): number {
  const parts = DURATION.exec(value);
  if (parts === null) {
    throw new GraphQLError(
      `Duration is an ISO 8601 length of days, hours, minutes and seconds such as "PT30M", got ${JSON.stringify(value.slice(0, 60))}.`,
    );
  }
  const [days, hours, minutes, seconds] = parts.slice(1, 5).map((part) => Number(part ?? 0)) as number[];
  const whole = ((days! * 24 + hours!) * 60 + minutes!) * 60 + seconds!;
  return whole * 1_000 + Number((parts[5] ?? "").padEnd(3, "0"));
}

function writeDuration(durationMs: unknown): string {
  if (typeof durationMs !== "number" || !Number.isInteger(durationMs) || durationMs < 0) {
    throw new GraphQLError("Duration is a whole number of milliseconds inside.");
  }
  return `PT${durationMs / 1_000}S`;
}

export const Duration = new GraphQLScalarType<number, string>({
  name: "Duration",
  description: 'A length of time in ISO 8601: days, hours, minutes and seconds, e.g. `"PT24H"` or `"P7D"`.',
  specifiedByURL: "https://scalars.graphql.org/andimarek/duration",
  serialize: writeDuration,
  parseValue: (value) => readDuration(text(value, "Duration")),
  parseLiteral: (node) => readDuration(literal(node, "Duration")),
});
